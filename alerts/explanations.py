"""Tell the thread of a loss where it comes from, and put its likely causes in that order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from alerts import events
from alerts.desk import Desk
from alerts.follow import facts_of
from alerts.model import Facts, Incident, IncidentChange
from alerts.repository import History, Incidents
from monitor.model import EvaluatedWindow, Family

_OPENING = "Where the loss comes from: "


def tell_explanation(
    session: Session,
    evaluated: EvaluatedWindow,
    ranking: Mapping[str, float],
    text: str,
    *,
    now: datetime,
) -> list[IncidentChange]:
    """Bring the causes of a model's live losses into the order of the loss that they explain.

    The message is changed in place; the thread gets one line, the first time.

    Parameters
    ----------
    ranking
        Attributed loss by column; columns that it lacks come last.
    text
        What the thread is told.
    """
    desk = Desk(session)
    for incident in Incidents(session).live_of(evaluated.model, [Family.PERFORMANCE]):
        newest = incident.facts.window_start == evaluated.window.start
        if newest and incident.model == evaluated.model:
            facts = facts_of(evaluated, Family.PERFORMANCE, ranking=ranking)
            _tell(desk, incident, facts, text, now)
    return desk.changes


def _tell(desk: Desk, incident: Incident, facts: Facts, text: str, now: datetime) -> None:
    session = desk.session
    if facts != incident.facts:
        Incidents(session).save(replace(incident, facts=facts))
        desk.handle(incident, events.Changed(at=now))
    told = (entry.reason or "" for entry in History(session).of(incident.id))
    if text and not any(line.startswith(_OPENING) for line in told):
        desk.handle(incident, events.Noted(at=now, text=_OPENING + text))
