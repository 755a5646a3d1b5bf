"""What other rooms have to say about an incident: lines in its thread, repairs and their end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from alerts import events
from alerts.desk import Desk
from alerts.events import Event
from alerts.model import Incident, IncidentChange
from alerts.repository import History, Incidents
from monitor.model import Family

#: What a retrain is meant to cure.
CURABLE = (Family.PERFORMANCE, Family.INPUT_DRIFT, Family.OUTPUT_DRIFT)


def open_incidents(
    session: Session, model: str, families: Iterable[Family] = tuple(Family)
) -> list[Incident]:
    """Return the live incidents of a model in some families, oldest first."""
    return Incidents(session).live_of(model, families)


def note(
    session: Session,
    model: str,
    text: str,
    *,
    now: datetime,
    families: Iterable[Family] = CURABLE,
) -> list[IncidentChange]:
    """Write a line into the threads of a model's live incidents.

    The same line is not written twice in a row into one thread: a retrain that is held says so
    once, not at every window.
    """
    desk = Desk(session)
    for incident in open_incidents(session, model, families):
        notes = [
            entry.reason for entry in History(session).of(incident.id) if entry.event == "noted"
        ]
        if notes[-1:] != [text]:
            desk.handle(incident, events.Noted(at=now, text=text))
    return desk.changes


def mitigation_started(
    session: Session,
    model: str,
    text: str,
    *,
    now: datetime,
    within: timedelta = timedelta(days=2),
    families: Iterable[Family] = CURABLE,
) -> list[IncidentChange]:
    """Tell the threads that a repair is running; it has to end ``within`` some event time."""
    event = events.MitigationStarted(at=now, what=text, deadline=now + within)
    return _tell_all(session, model, families, event)


def mitigation_failed(
    session: Session,
    model: str,
    text: str,
    *,
    now: datetime,
    families: Iterable[Family] = CURABLE,
) -> list[IncidentChange]:
    """Tell the threads that the repair failed, was refused or changed nothing."""
    return _tell_all(session, model, families, events.MitigationFailed(at=now, reason=text))


def _tell_all(
    session: Session, model: str, families: Iterable[Family], event: Event
) -> list[IncidentChange]:
    desk = Desk(session)
    for incident in open_incidents(session, model, families):
        desk.handle(incident, event)
    return desk.changes
