"""Tables of what decay detection must remember: the labelled past, and the evidence so far."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, LargeBinary, String, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from monitor.budget import Budget
from monitor.detection.detector import State
from monitor.detection.past import NOTHING, Past
from watchkeeper.database import Base, UtcDateTime


class ReferencePastRow(Base):
    """The labelled outcomes of a reference, and what its alarm budget was found to be worth."""

    __tablename__ = "reference_pasts"

    reference_id: Mapped[int] = mapped_column(
        ForeignKey("reference_profiles.id", ondelete="CASCADE"), primary_key=True
    )
    data: Mapped[bytes] = mapped_column(LargeBinary)
    budget: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class DecayRow(Base):
    """The detector of one model version, and the evidence that it has gathered.

    ``key`` names the settings that it was fitted for; ``detector`` is null where the reference
    allows none. ``last_window`` is the start of the newest window that was spent.
    """

    __tablename__ = "decay_states"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(500))
    detector: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    last_window: Mapped[datetime | None] = mapped_column(UtcDateTime, comment="event time")


class SpentWindowRow(Base):
    """What the detector said when a window was spent; later labels change it no more."""

    __tablename__ = "decay_windows"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(
        UtcDateTime, primary_key=True, comment="event time"
    )
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    said: Mapped[dict[str, Any]] = mapped_column(JSON)


class Pasts:
    """The pasts of references that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, reference_id: int, past: Past, budget: Budget | None) -> None:
        """Store the past of a reference."""
        known = None if budget is None else budget.to_dict()
        row = ReferencePastRow(reference_id=reference_id, data=past.to_bytes(), budget=known)
        self._session.add(row)
        self._session.flush()

    def get(self, reference_id: int | None) -> Past:
        """Return the past of a reference; empty where none was kept."""
        row = None if reference_id is None else self._row(reference_id)
        return NOTHING if row is None else Past.from_bytes(row.data)

    def budget(self, reference_id: int) -> Budget | None:
        """Return what the budget was last found to be worth; None where it was not tried."""
        found = self._session.scalar(
            select(ReferencePastRow.budget).where(ReferencePastRow.reference_id == reference_id)
        )
        return None if found is None else Budget.from_dict(found)

    def keep_budget(self, reference_id: int, budget: Budget) -> None:
        """Store what a budget was found to be worth; nothing where no past is kept."""
        row = self._row(reference_id)
        if row is not None:
            row.budget = budget.to_dict()
            self._session.flush()

    def _row(self, reference_id: int) -> ReferencePastRow | None:
        return self._session.get(ReferencePastRow, reference_id)


class DecayStates:
    """The detectors that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self, model: str, version: int) -> DecayRow | None:
        """Return the row of a version, locked until the transaction ends; None without one."""
        return self._session.scalars(
            select(DecayRow)
            .where(DecayRow.model == model, DecayRow.version == version)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one_or_none()

    def open(self, model: str, version: int, key: str) -> DecayRow:
        """Return the row of a version, locked; it is made if need be, without a detector."""
        dialect = self._session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        values = {"model": model, "version": version, "key": key, "state": State().to_dict()}
        self._session.execute(insert(DecayRow).values(values).on_conflict_do_nothing())
        row = self.lock(model, version)
        if row is None:
            raise RuntimeError(f"the detector of {model} version {version} was removed meanwhile")
        return row

    def spent(self, model: str, version: int, start: datetime) -> dict[str, Any] | None:
        """Return what was said of a window when it was spent; None when it was not."""
        row = self._session.get(SpentWindowRow, (model, start, version))
        return None if row is None else row.said

    def spend(self, model: str, version: int, start: datetime, said: dict[str, Any]) -> None:
        """Record that a window is spent; a second time is an error of the database."""
        row = SpentWindowRow(model=model, version=version, window_start=start, said=said)
        self._session.add(row)
        self._session.flush()
