"""The table of references: one fixed reference per model version, never changed."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, LargeBinary, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from monitor.attribution_store import ReferenceSamples
from monitor.decay_store import Pasts
from monitor.estimation.estimator import Estimator
from monitor.habits import Habit
from monitor.performance.interval import Performance
from monitor.profiles.bins import ProfileBins
from monitor.profiles.model import Profile
from monitor.reference import Reference
from monitor.season_habits import SeasonHabits
from monitor.segment_habits import segments_from_list, segments_to_list
from monitor.usual import Usual
from watchkeeper.database import Base, UtcDateTime
from watchkeeper.errors import NotFoundError


class ReferenceRow(Base):
    """What the windows of one model version are compared with."""

    __tablename__ = "reference_profiles"
    __table_args__ = (UniqueConstraint("model", "version", "kind"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(20))
    n_rows: Mapped[int] = mapped_column(Integer)
    start: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")
    end: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")
    bins: Mapped[dict[str, Any]] = mapped_column(JSON)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    performance: Mapped[dict[str, Any]] = mapped_column(JSON)
    habits: Mapped[dict[str, Any]] = mapped_column(JSON)
    seasons: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    estimator: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    usual: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")


class ReferenceSeasonRow(Base):
    """The part of a reference that has one season; read one at a time."""

    __tablename__ = "reference_seasons"

    reference_id: Mapped[int] = mapped_column(
        ForeignKey("reference_profiles.id", ondelete="CASCADE"), primary_key=True
    )
    season: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class References:
    """The references that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, model: str, version: int, reference: Reference, at: datetime) -> Reference:
        """Store the reference of a version, and return it with its id."""
        row = ReferenceRow(
            model=model,
            version=version,
            kind=reference.kind,
            n_rows=reference.profile.rows,
            start=reference.start,
            end=reference.end,
            bins=reference.bins.to_dict(),
            data=reference.profile.to_bytes(),
            performance={name: asdict(found) for name, found in reference.performance.items()},
            habits={name: habit.to_dict() for name, habit in reference.habits.items()},
            seasons=None if reference.seasons is None else reference.seasons.to_dict(),
            estimator=None if reference.estimator is None else reference.estimator.to_dict(),
            usual=_usual_of(reference),
            created_at=at,
        )
        self._session.add(row)
        self._session.flush()
        self._add_seasons(row.id, reference)
        if reference.sample is not None:
            ReferenceSamples(self._session).add(row.id, reference.sample)
        if reference.past is not None:
            Pasts(self._session).add(row.id, reference.past, reference.budget)
        return replace(reference, id=row.id)

    def _add_seasons(self, id_: int, reference: Reference) -> None:
        profiles = {} if reference.seasons is None else reference.seasons.profiles
        self._session.add_all(
            ReferenceSeasonRow(reference_id=id_, season=season, data=profile.to_bytes())
            for season, profile in profiles.items()
        )
        self._session.flush()

    def season(self, reference: Reference, season: int) -> Profile:
        """Return the part of a stored reference that has one season; empty if it has none."""
        layout = reference.bins.layout
        data = self._session.scalar(
            select(ReferenceSeasonRow.data)
            .where(ReferenceSeasonRow.reference_id == reference.id)
            .where(ReferenceSeasonRow.season == season)
        )
        return Profile.empty(layout) if data is None else Profile.from_bytes(data, layout)

    def find(self, model: str, version: int) -> Reference | None:
        """Return the reference of a version; None when it has none."""
        row = self._session.scalars(
            select(ReferenceRow).where(ReferenceRow.model == model, ReferenceRow.version == version)
        ).first()
        return None if row is None else _to_reference(row)

    def get(self, model: str, version: int) -> Reference:
        """Return the reference of a version.

        Raises
        ------
        NotFoundError
            It has none.
        """
        reference = self.find(model, version)
        if reference is None:
            raise NotFoundError("reference", f"{model} version {version}")
        return reference


def _to_reference(row: ReferenceRow) -> Reference:
    bins = ProfileBins.from_dict(row.bins)
    return Reference(
        bins=bins,
        profile=Profile.from_bytes(row.data, bins.layout),
        start=row.start,
        end=row.end,
        performance={name: Performance(**found) for name, found in row.performance.items()},
        habits={name: Habit.from_dict(habit) for name, habit in row.habits.items()},
        seasons=None if row.seasons is None else SeasonHabits.from_dict(row.seasons),
        estimator=None if row.estimator is None else Estimator.from_dict(row.estimator),
        usual=None if row.usual is None else Usual.from_dict(row.usual),
        segments=segments_from_list((row.usual or {}).get("segments", ())),
        kind=row.kind,
        id=row.id,
    )


def _usual_of(reference: Reference) -> dict[str, Any] | None:
    if reference.usual is None:
        return None
    segments = segments_to_list(reference.segments)
    return {**reference.usual.to_dict(), "segments": segments}
