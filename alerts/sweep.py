"""What time alone does to incidents: expiries, deadlines, holds, and what was inhibited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from alerts import events
from alerts.desk import Desk
from alerts.model import SELF, Incident, IncidentChange, IncidentState
from alerts.policy import AlertPolicy, policy_of
from alerts.repository import Incidents, SeriesStore
from alerts.settle import is_held_back, settle
from watchkeeper.model_settings import ModelSettings


def sweep(
    session: Session, models: Mapping[str, ModelSettings], *, now: datetime
) -> list[IncidentChange]:
    """Move every incident as far as the time allows; once a tick is enough.

    Parameters
    ----------
    models
        The settings of all models that are watched. What concerned only a model that is no longer
        among them is over; what it shared with others goes on by the defaults.
    now
        Event time.
    """
    desk = Desk(session)
    for incident in Incidents(session).unfinished():
        settings = models.get(incident.model)
        if settings is None and incident.scope == incident.model and incident.is_live:
            desk.handle(incident, events.Ended(at=now, reason="the model is no longer watched"))
            continue
        policy = AlertPolicy() if settings is None else policy_of(settings)
        if incident.state is IncidentState.RESOLVED:
            after = max(policy.close_after, policy.reopen)
            desk.handle(incident, events.Aged(at=now, after=after))
            continue
        moved = _escalate(desk, _expire(desk, incident, now), now)
        if moved.scope == SELF:
            continue
        settle(
            desk,
            moved,
            SeriesStore(session).roll_call(moved.id, clear_below=policy.clear_ratio),
            policy=policy,
            now=now,
            held_back=is_held_back(session, moved, now),
            changed=False,
        )
    return desk.changes


def _expire(desk: Desk, incident: Incident, now: datetime) -> Incident:
    standing = incident.standing
    if standing.ack_expires_at is not None and now >= standing.ack_expires_at:
        incident = desk.handle(incident, events.AckExpired(at=now))
    if standing.snoozed_until is not None and now >= standing.snoozed_until:
        incident = desk.handle(incident, events.Woken(at=now, reason="its time is over"))
    if standing.deadline is not None and now >= standing.deadline:
        reason = "The repair was not finished in time."
        incident = desk.handle(incident, events.MitigationFailed(at=now, reason=reason))
    return incident


def _escalate(desk: Desk, incident: Incident, now: datetime) -> Incident:
    """Tell more people of a page that nobody has acknowledged: as its plan says, step by step."""
    for number, level in enumerate(incident.plan.levels, start=1):
        standing = incident.standing
        if standing.state is not IncidentState.OPEN or standing.called_at is None:
            break
        waited = now - standing.called_at
        if number > standing.level and waited >= level.after:
            event = events.Escalated(at=now, level=number, waited=waited, to=level.to)
            incident = desk.handle(incident, event)
    return incident
