"""A chart for the thread of an incident: drawn after the text has gone, and shown once.

Each root message gets one chart, and another one when the incident has become more severe or has
come back. What cannot be drawn or uploaded is tried again a few times and then left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from sqlalchemy import Engine, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from alerts.model import LIVE_STATES, DeliveryKind, Incident
from alerts.outbox import DeliveryState
from alerts.repository import Incidents
from alerts.rows import ChartRow, DeliveryRow, IncidentRow
from watchkeeper.database import database_now, read, write
from watchkeeper.errors import DeliveryError

log = structlog.get_logger(__name__)

_ATTEMPTS = 3
_LEASE = 120.0
_BATCH = 20
_OPEN, _SHOWN, _NONE, _GIVEN_UP = "open", "shown", "none", "given_up"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A picture and the same in words.

    Parameters
    ----------
    png
        The file's bytes.
    alt
        What it shows, with the numbers, for whoever does not see it.
    """

    png: bytes
    title: str
    alt: str


#: Draw the chart of an incident, or return None where there is nothing to draw.
DrawChart = Callable[[Incident], Chart | None]


class Gallery(Protocol):
    """Where charts are shown; each step may be repeated without showing anything twice."""

    def upload(self, chart: Chart, name: str) -> str:
        """Hand the bytes over and return the file's ID; nobody sees it yet."""
        ...

    def show(self, file_id: str, chart: Chart, *, channel: str, thread: str) -> None:
        """Show an uploaded file in a thread, unless it is shown already."""
        ...


class Illustrator:
    """Brings charts into threads; any number may run side by side.

    Parameters
    ----------
    galleries
        By transport, for example ``{"slack": SlackFiles(…)}``.
    draw
        Draws; it takes its time.
    """

    def __init__(
        self, engine: Engine, galleries: dict[str, Gallery], *, draw: DrawChart, owner: str
    ) -> None:
        self._engine = engine
        self._galleries = galleries
        self._draw = draw
        self._owner = owner

    def run_once(self) -> int:
        """Show what is missing; return how many charts were shown."""
        with read(self._engine) as session:
            wanted = _wanted(session, list(self._galleries))
        if wanted:
            with write(self._engine) as session:
                for values in wanted:
                    _insert(session, values)
        shown = 0
        while shown < _BATCH and (row := self._claim()) is not None:
            shown += self._illustrate(row)
        return shown

    def _illustrate(self, row: ChartRow) -> bool:
        try:
            state = self._show(row)
        except DeliveryError as exc:
            log.warning("chart_failed", incident=row.incident_id, error=str(exc))
            state = _GIVEN_UP if row.attempt >= _ATTEMPTS else _OPEN
        except Exception:
            # The text has arrived long ago; no picture is worth more than a line in the log.
            log.exception("chart_failed", incident=row.incident_id)
            state = _GIVEN_UP if row.attempt >= _ATTEMPTS else _OPEN
        self._settle(row, state=state)
        return state == _SHOWN

    def _show(self, row: ChartRow) -> str:
        with read(self._engine) as session:
            incident = Incidents(session).get(row.incident_id)
        chart = None if incident is None else self._draw(incident)
        if incident is None or chart is None:
            return _NONE
        gallery = self._galleries[row.destination.partition(":")[0]]
        file_id = row.file_id
        if file_id is None:
            file_id = gallery.upload(chart, f"{incident.name.lower()}.png")
            # Kept before it is shown: whoever takes over asks about this file first.
            self._settle(row, state=_OPEN, file_id=file_id, lease_until=row.lease_until)
        gallery.show(file_id, chart, channel=row.channel_id, thread=row.ts)
        return _SHOWN

    def _claim(self) -> ChartRow | None:
        with write(self._engine) as session:
            now = database_now(session)
            query = (
                select(ChartRow)
                .where(ChartRow.state == _OPEN, ChartRow.attempt < _ATTEMPTS)
                .where(or_(ChartRow.lease_until.is_(None), ChartRow.lease_until < now))
                .order_by(ChartRow.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            row = session.scalars(query).first()
            if row is not None:
                row.attempt += 1
                row.lease_until = now + _LEASE
            return row

    def _settle(self, row: ChartRow, **changes: Any) -> None:
        # A failed attempt waits until its lease is over; who was overtaken changes nothing.
        held = and_(ChartRow.id == row.id, ChartRow.attempt == row.attempt)
        with write(self._engine) as session:
            result = session.execute(update(ChartRow).where(held).values(**changes))
            assert isinstance(result, CursorResult)  # noqa: S101  an UPDATE has no other
            if result.rowcount != 1:
                raise DeliveryError("another worker has taken the chart over")


def _wanted(session: Session, transports: list[str]) -> list[dict[str, Any]]:
    """Return the charts that no thread has yet."""
    rows = session.execute(
        select(
            DeliveryRow.incident_id, DeliveryRow.destination, DeliveryRow.channel_id,
            DeliveryRow.ts, IncidentRow.severity, IncidentRow.reopen_count,
        )
        .join(IncidentRow, IncidentRow.id == DeliveryRow.incident_id)
        .where(DeliveryRow.kind == DeliveryKind.ROOT, DeliveryRow.state == DeliveryState.SENT)
        .where(DeliveryRow.transport.in_(transports), IncidentRow.state.in_(LIVE_STATES))
        .order_by(DeliveryRow.sequence)
    ).all()  # fmt: skip
    found = {
        (row.incident_id, row.destination, f"{row.severity}.{row.reopen_count}"): row
        for row in rows
        if row.channel_id is not None and row.ts is not None
    }
    if not found:
        return []
    charts = select(ChartRow.incident_id, ChartRow.destination, ChartRow.occasion)
    known = {tuple(row) for row in session.execute(charts)}
    return [
        {
            "incident_id": key[0], "destination": key[1], "occasion": key[2],
            "channel_id": row.channel_id, "ts": row.ts, "state": _OPEN, "attempt": 0,
        }
        for key, row in found.items()
        if key not in known
    ]  # fmt: skip


def _insert(session: Session, values: dict[str, Any]) -> None:
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    session.execute(insert(ChartRow).values(**values).on_conflict_do_nothing())
