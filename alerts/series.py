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
