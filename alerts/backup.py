"""A page that no destination takes in is told at the next one of its plan, once."""

from __future__ import annotations

from dataclasses import replace

import structlog
from sqlalchemy import Engine, Select, exists, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session, aliased

from alerts.events import SYSTEM, Say
from alerts.model import DeliveryKind, Incident, Severity
from alerts.outbox import UNFINISHED, DeliveryState, Outbox
from alerts.repository import History, Incidents
from alerts.rows import DeliveryRow, IncidentRow
from watchkeeper.database import database_now, read, write

log = structlog.get_logger(__name__)

#: Seconds of wall time in which a page must have been accepted.
PATIENCE = 120.0

#: Rows of this priority and below call people: pages, and replies that call again.
_CALLS = 1


def back_up(engine: Engine, *, patience: float = PATIENCE) -> int:
    """Tell late pages at the next destination of their plan; return how many were.

    The late message stays where it is and is sent when it can be: that it comes twice, at two
    places, is better than that nobody hears of it.
    """
    # Asked first because it takes no lock.
    with read(engine) as session:
        if session.scalars(_late(session, patience).limit(1)).first() is None:
            return 0
    with write(engine) as session:
        late = session.scalars(_late(session, patience)).all()
        return sum(_hand_over(session, row) for row in late)


def _late(session: Session, patience: float) -> Select[DeliveryRow]:
    """Return the calls that wait at the head of their thread and that no other place has heard."""
    other = aliased(DeliveryRow)
    waits_for = exists().where(
        other.incident_id == DeliveryRow.incident_id,
        other.destination == DeliveryRow.destination,
        other.sequence < DeliveryRow.sequence,
        other.state.in_(UNFINISHED),
    )
    heard = exists().where(
        other.incident_id == DeliveryRow.incident_id,
        other.state == DeliveryState.SENT,
        other.priority <= _CALLS,
        other.revision >= DeliveryRow.revision,
    )
    return (
        select(DeliveryRow)
        .join(IncidentRow, IncidentRow.id == DeliveryRow.incident_id)
        .where(
            DeliveryRow.state.in_(UNFINISHED),
            DeliveryRow.priority <= _CALLS,
            DeliveryRow.backed_up_at.is_(None),
            DeliveryRow.enqueued_at < database_now(session) - patience,
            IncidentRow.severity == Severity.PAGE,
            ~waits_for,
            ~heard,
        )
        .order_by(DeliveryRow.sequence)
    )


def _hand_over(session: Session, row: DeliveryRow) -> bool:
    if not _claim(session, row) or row.incident_id is None:
        return False
    incident = Incidents(session).lock(row.incident_id)
    target = incident.plan.next_backup(incident.destinations)
    if target is None:
        return False
    reason = f"{row.destination} has not taken it in for two minutes: told {target} too"
    log.warning("page_backed_up", incident=incident.name, late=row.destination, told=target)
    told = replace(incident, destinations=(*incident.destinations, target))
    Incidents(session).save(told)
    _write_down(session, told, row, reason)
    only = replace(told, destinations=(target,))
    say = Say(kind=DeliveryKind.ROOT, text=f"{row.text} {reason}.".strip(), mention=True)
    Outbox(session).enqueue(only, say, at=row.at, since=row.enqueued_at)
    return True


def _write_down(session: Session, incident: Incident, row: DeliveryRow, reason: str) -> None:
    History(session).write_down(
        incident,
        at=row.at,
        actor=SYSTEM,
        event="backed_up",
        before=incident.state,
        reason=reason,
    )


def _claim(session: Session, row: DeliveryRow) -> bool:
    """Mark a row as handed over; False when another worker was faster."""
    statement = (
        update(DeliveryRow)
        .where(DeliveryRow.sequence == row.sequence, DeliveryRow.backed_up_at.is_(None))
        .values(backed_up_at=database_now(session))
    )
    result = session.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101  an UPDATE has no other
    return result.rowcount == 1
