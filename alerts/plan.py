"""Where an incident is told: by severity, when nobody takes it in, and when nobody answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Duty:
    """Somebody who is on call; ``until`` is None when nobody knows how long."""

    name: str
    slack: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A step of an escalation: who is told of a page that nobody acknowledged for so long."""

    after: timedelta
    to: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Where one incident is told, as it was decided when it opened.

    Parameters
    ----------
    page, ticket, digest
        Destinations by severity.
    backup
        Destinations of a page that was not accepted, one after the other.
    levels
        Who else is told of a page that nobody acknowledges, the first step first.
    """

    page: tuple[str, ...] = ()
    ticket: tuple[str, ...] = ()
    digest: tuple[str, ...] = ()
    backup: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()

    def of(self, severity: str) -> tuple[str, ...]:
        """Return the destinations of a severity."""
        found: tuple[str, ...] = getattr(self, severity)
        return found

    def at_first(self, severity: str) -> tuple[str, ...]:
        """Return where an incident is told when it opens: a mere line of the digest nowhere."""
        return () if severity == "digest" else self.of(severity)

    def next_backup(self, known: Iterable[str]) -> str | None:
        """Return the first backup that does not know of the incident yet, or None.

        Examples
        --------
        >>> plan = Plan(backup=("email:a@b", "slack:C1"))
        >>> plan.next_backup(["pagerduty:x", "email:a@b"])
        'slack:C1'
        """
        known = set(known)
        return next((name for name in self.backup if name not in known), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON types."""
        lists = {name: list(getattr(self, name)) for name in _LISTS}
        levels = [
            {"after": each.after.total_seconds(), "to": list(each.to)} for each in self.levels
        ]
        return {**lists, "levels": levels}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> Self:
        """Read what ``to_dict`` wrote; of an incident older than plans there is nothing."""
        data = data or {}
        levels = tuple(
            Level(after=timedelta(seconds=each["after"]), to=tuple(each["to"]))
            for each in data.get("levels", ())
        )
        return cls(levels=levels, **{name: tuple(data.get(name, ())) for name in _LISTS})


_LISTS = ("page", "ticket", "digest", "backup")
