"""A series: one rule on one column or segment of a model, with its memory and newest reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alerts.model import Member, Reading, SeriesState
from alerts.rules import Track
from monitor.model import Family


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One rule on one column or segment of a model.

    Parameters
    ----------
    state, since
        Where ``track`` stands, kept beside it for those who only read.
    """

    key: str
    model: str
    slot: str
    family: Family
    check: str
    metric: str
    column: str | None
    segment: str | None
    track: Track
    state: SeriesState
    since: datetime | None
    reading: Reading
    incident_id: int | None = None

    @property
    def is_firing(self) -> bool:
        """Whether the trouble lasts."""
        return self.state in (SeriesState.FIRING, SeriesState.RECOVERING)

    def as_member(self) -> Member:
        """Return the series as a person sees it."""
        return Member(
            model=self.model,
            family=self.family,
            check=self.check,
            metric=self.metric,
            column=self.column,
            segment=self.segment,
            state=self.state,
            evaluability=self.track.evaluability,
            since=self.since,
            reading=self.reading,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RollCall:
    """The members of an incident, counted; only the worst are named.

    Parameters
    ----------
    members, firing, lasting, quiet
        How many there are, fire now, fire or recover, and were well in the newest window.
    columns
        In trouble, the worst first.
    models
        How many models are in trouble.
    worst
        The worst dozen.
    """

    members: int
    firing: int
    lasting: int
    quiet: int
    columns: tuple[str, ...]
    models: int
    worst: tuple[Series, ...]

    @property
    def all_quiet(self) -> bool:
        """Whether every member is known to be well; so it is when there is none left."""
        return self.quiet == self.members

    @property
    def worst_effect(self) -> float:
        """How bad the worst is that still fires, in units of its limit."""
        return max((each.reading.effect or 0.0 for each in self.worst if each.is_firing), default=0)
