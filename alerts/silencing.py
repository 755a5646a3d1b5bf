"""Whether a silence covers a finding, pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from alerts.series import Series
from monitor.model import Family


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence:
    """A time in which some findings open no new message.

    What is silenced is recorded all the same, and told when the silence ends while it still fires.

    Parameters
    ----------
    model, column
        Names, with ``*`` and ``?`` as in file names; None matches every one.
    family
        None matches every one.
    starts_at, until
        Event time; the end is not included.
    """

    model: str | None = None
    family: Family | None = None
    column: str | None = None
    reason: str
    author: str
    starts_at: datetime
    until: datetime
    id: int = 0

    def covers(self, series: Series, at: datetime) -> bool:
        """Tell whether a series is silenced at an instant."""
        return self.starts_at <= at < self.until and self.names(series)

    def names(self, series: Series) -> bool:
        """Tell whether a series is one of those that it is about."""
        return (
            (self.family is None or self.family is series.family)
            and _fits(self.model, series.model)
            and _fits(self.column, series.column)
        )

    def concerns(self, models: Iterable[str]) -> bool:
        """Tell whether it is about any of these models."""
        return any(_fits(self.model, model) for model in models)

    def __str__(self) -> str:
        """Name it as people know it: its number, what it is about, and why."""
        parts = (self.model, self.family and str(self.family), self.column)
        about = ", ".join(part for part in parts if part) or "everything"
        return f"silence {self.id} of {about} ({self.author}: {self.reason})"


def is_silenced(members: Sequence[Series], silences: Sequence[Silence], at: datetime) -> bool:
    """Tell whether everything that fires is silenced; one finding that is not speaks for all."""
    firing = [series for series in members if series.is_firing]
    return bool(firing) and all(
        any(silence.covers(series, at) for silence in silences) for series in firing
    )


def _fits(pattern: str | None, name: str | None) -> bool:
    return pattern is None or (name is not None and fnmatchcase(name, pattern))
