"""What a person does about an incident: take it, put it off, judge it, end it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from alerts import events
from alerts.desk import Desk
from alerts.model import Incident, Verdict
from alerts.repository import Incidents, SeriesStore
from watchkeeper.errors import ConflictError

LONGEST_SNOOZE = timedelta(days=14)


def acknowledge(
    session: Session,
    incident_id: int,
    actor: str,
    *,
    now: datetime,
    within: timedelta = timedelta(hours=24),
) -> Incident:
    """Tell the others that ``actor`` is on it; a page calls again when it takes longer.

    Raises
    ------
    NotFoundError
        There is no such incident.
    ConflictError
        Somebody has it already, or it is over.
    """
    event = events.Acked(at=now, actor=actor, expires_at=now + within)
    return Desk(session).handle(Incidents(session).lock(incident_id), event)


def snooze(
    session: Session,
    incident_id: int,
    actor: str,
    *,
    now: datetime,
    until: datetime | None = None,
    condition: str | None = None,
) -> Incident:
    """Put an incident off until a time, a condition, or whichever comes first.

    A snooze on a condition ends after 14 days all the same. Any snooze ends when the incident
    gets a quarter worse, or more severe.

    Raises
    ------
    NotFoundError
        There is no such incident.
    ConflictError
        The end is not within 14 days, the condition is unknown, or the state does not allow it.
    """
    latest = now + LONGEST_SNOOZE
    if until is not None and not now < until <= latest:
        raise ConflictError(f"a snooze lasts at most {LONGEST_SNOOZE.days} days")
    if condition is not None and condition not in events.CONDITIONS:
        raise ConflictError(f"expected one of {', '.join(events.CONDITIONS)}, got {condition!r}")
    if condition is not None and until is None:
        until = latest
    worst = SeriesStore(session).roll_call(incident_id).worst_effect
    event = events.Snoozed(
        at=now,
        actor=actor,
        until=until,
        condition=condition,
        effect=worst or None,
    )
    return Desk(session).handle(Incidents(session).lock(incident_id), event)


def judge(
    session: Session, incident_id: int, actor: str, verdict: Verdict, *, now: datetime
) -> Incident:
    """Record what an incident was worth; a resolved one is closed by it.

    Raises
    ------
    NotFoundError
        There is no such incident.
    ConflictError
        It was closed before.
    """
    event = events.JudgedBy(at=now, actor=actor, verdict=verdict)
    return Desk(session).handle(Incidents(session).lock(incident_id), event)


def end(
    session: Session, incident_id: int, actor: str, *, now: datetime, reason: str = "manual"
) -> Incident:
    """Resolve an incident by hand.

    Raises
    ------
    NotFoundError
        There is no such incident.
    ConflictError
        It is over already.
    """
    event = events.Ended(at=now, actor=actor, reason=reason)
    return Desk(session).handle(Incidents(session).lock(incident_id), event)
