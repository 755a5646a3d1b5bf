"""Tables of what is known of fleets: the evidence so far, and what each window has said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from monitor.decay_store import SpentWindowRow
from monitor.detection.detector import State
from watchkeeper.database import Base, UtcDateTime

#: Models that one query asks for; databases bound the parameters of a statement.
_AT_ONCE = 500


class FleetRow(Base):
    """The evidence that a fleet has become worse as a whole, and how its models stand in it.

    ``carrier`` is the model whose incident tells of it, while it lasts. ``last_window`` is the
    start of the newest window that was closed; windows are closed in order. ``tracks`` is what is
    remembered of each model, by name; null before there was such a thing.
    """

    __tablename__ = "fleet_states"

    fleet: Mapped[str] = mapped_column(String(200), primary_key=True)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    carrier: Mapped[str | None] = mapped_column(String(200))
    tracks: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    last_window: Mapped[datetime | None] = mapped_column(UtcDateTime, comment="event time")


class FleetWindowRow(Base):
    """What a window said of a fleet when it was closed; later labels change it no more."""

    __tablename__ = "fleet_windows"

    fleet: Mapped[str] = mapped_column(String(200), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(
        UtcDateTime, primary_key=True, comment="event time"
    )
    said: Mapped[dict[str, Any]] = mapped_column(JSON)


class FleetStates:
    """What one session sees of fleets; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, fleet: str) -> FleetRow:
        """Return the row of a fleet, locked until the transaction ends; it is made if need be."""
        dialect = self._session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        values = {"fleet": fleet, "state": State().to_dict()}
        self._session.execute(insert(FleetRow).values(values).on_conflict_do_nothing())
        return self._session.scalars(
            select(FleetRow)
            .where(FleetRow.fleet == fleet)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one()

    def carrier(self, fleet: str, start: datetime) -> str | None:
        """Return the model that tells of the fleet in a window that is not closed yet."""
        row = self._session.get(FleetRow, fleet)
        if row is None or row.last_window is None or row.last_window >= start:
            return None
        return row.carrier

    def behind(self, fleet: str, model: str, start: datetime) -> dict[str, Any] | None:
        """Return what a window says of a model beside its fleet; None where that is nothing.

        Of a window that is not closed yet, that the model is behind when it was so before.
        """
        said = self.said(fleet, start)
        if said is not None:
            found: dict[str, Any] | None = said.get("behind", {}).get(model)
            return found
        row = self._session.get(FleetRow, fleet)
        if row is None or row.last_window is None or row.last_window >= start:
            return None
        stored = (row.tracks or {}).get(model)
        if stored is None or not stored["track"]["alarmed"]:
            return None
        reason = "is behind its fleet; this window is not known of all models yet"
        return {"alarmed": True, "rise": None, "p_value": None, "reason": reason}

    def said(self, fleet: str, start: datetime) -> dict[str, Any] | None:
        """Return what a window said of a fleet; None while it is not closed."""
        row = self._session.get(FleetWindowRow, (fleet, start))
        return None if row is None else row.said

    def before(self, fleet: str, start: datetime) -> dict[str, Any] | None:
        """Return what the newest closed window before ``start`` said of a fleet."""
        return self._session.scalar(
            select(FleetWindowRow.said)
            .where(FleetWindowRow.fleet == fleet, FleetWindowRow.window_start < start)
            .order_by(FleetWindowRow.window_start.desc())
            .limit(1)
        )

    def close(self, row: FleetRow, start: datetime, said: dict[str, Any]) -> None:
        """Record what a window says; a second time is an error of the database."""
        self._session.add(FleetWindowRow(fleet=row.fleet, window_start=start, said=said))
        row.last_window = start
        self._session.flush()

    def spent(
        self, models: Sequence[str], after: datetime
    ) -> dict[datetime, dict[str, tuple[int, dict[str, Any]]]]:
        """Return by window what was said of the models in it, each with its newest version."""
        found: dict[datetime, dict[str, tuple[int, dict[str, Any]]]] = {}
        spent = SpentWindowRow
        for first in range(0, len(models), _AT_ONCE):
            query = (
                select(spent.window_start, spent.model, spent.version, spent.said)
                .where(spent.model.in_(models[first : first + _AT_ONCE]))
                .where(spent.window_start > after)
                .order_by(spent.window_start, spent.version)
            )
            for start, model, version, said in self._session.execute(query):
                # What was spent before there were fleets says nothing of them.
                if "gained" in said:
                    found.setdefault(start, {})[model] = (version, said)
        return dict(sorted(found.items()))
