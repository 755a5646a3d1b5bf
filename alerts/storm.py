"""The storm brake: when many incidents of a team open at once, the rest are told as one.

The first few are told each by itself. From then on an umbrella incident is told, edited as others
join, and whatever joins it stays silent until the umbrella has ended.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from alerts import events
from alerts.desk import Desk
from alerts.keys import incident_key
from alerts.model import PRODUCTION, Incident, IncidentState, Severity, Standing
from alerts.repository import Incidents, SeriesStore
from alerts.rows import IncidentEventRow, IncidentRow
from alerts.wording import listed
from monitor.model import Family

#: Stands where an umbrella would name its model.
SEVERAL = "several models"
_SCOPE = "storm:"
_WITHIN = timedelta(minutes=10)
_NAMED = 6


def shelter(desk: Desk, incident: Incident, *, most: int, now: datetime) -> Incident:
    """Put an incident that is about to be told under an umbrella, if there is a storm.

    Returns it as it stands afterwards: under an umbrella its ``merged_into`` names it.

    Parameters
    ----------
    most
        How many incidents of a team may be told one by one within ten minutes.
    """
    if incident.severity is Severity.DIGEST or incident.scope.startswith(_SCOPE):
        return incident
    incidents = Incidents(desk.session)
    scope = f"{_SCOPE}{incident.owner.team}"
    umbrella = _umbrella(incidents, incident.owner.team)
    if umbrella is None:
        if not is_storm(desk.session, incident.owner.team, most=most, now=now):
            return incident
        umbrella = _open(desk, incident, scope, now)
    gathered = desk.handle(incident, events.Gathered(at=now, into=umbrella.id))
    cover(desk, umbrella, now)
    return gathered


def is_storm(session: Session, team: str, *, most: int, now: datetime) -> bool:
    """Tell whether a team is called by so many incidents that one more is not told by itself."""
    if _umbrella(Incidents(session), team) is not None:
        return True
    return _calls(session, team, since=now - _WITHIN) >= most


def _calls(session: Session, team: str, *, since: datetime) -> int:
    """Return how many incidents, umbrellas too, have called a team by opening or reopening."""
    event = IncidentEventRow
    reopened = exists().where(
        event.incident_id == IncidentRow.id,
        event.event == "breached",
        event.before == IncidentState.RESOLVED,
        event.at >= since,
    )
    owners = session.scalars(
        select(IncidentRow.owner).where(
            IncidentRow.notified, or_(IncidentRow.opened_at >= since, reopened)
        )
    )
    return sum(owner["team"] == team for owner in owners)


def _umbrella(incidents: Incidents, team: str) -> Incident | None:
    return incidents.live(incident_key(PRODUCTION, Family.PIPELINE, f"{_SCOPE}{team}"))


def cover(desk: Desk, umbrella: Incident, now: datetime) -> None:
    """Say under an umbrella what is under it now, and call people as loudly as its worst asks."""
    incidents = Incidents(desk.session)
    under = [each for each in incidents.under(umbrella.id) if each.state is IncidentState.PENDING]
    if not under:
        return
    models = list(dict.fromkeys(each.model for each in under))
    newest = max(under, key=lambda each: each.facts.window_start)
    described = replace(
        umbrella,
        summary=f"{len(models)} models in trouble at once: {listed(models, _NAMED)}",
        facts=newest.facts,
        columns=tuple(dict.fromkeys(name for each in under for name in each.columns))[:100],
    )
    incidents.save(described)
    worst = max((each.severity for each in under), key=lambda severity: severity.rank)
    roll = SeriesStore(desk.session).roll_call(umbrella.id)
    raised = events.Raised(at=now, severity=worst, members=roll.lasting)
    described = desk.handle(described, raised)
    described = desk.handle(described, events.NotifyDue(at=now, members=roll.lasting))
    desk.handle(described, events.Changed(at=now))


def is_sheltered(incidents: Incidents, incident: Incident) -> bool:
    """Tell whether an incident stands under an umbrella that lasts."""
    into = incident.standing.merged_into
    umbrella = None if into is None else incidents.get(into)
    return umbrella is not None and umbrella.state is not IncidentState.PENDING and umbrella.is_live


def _open(desk: Desk, first: Incident, scope: str, now: datetime) -> Incident:
    return Incidents(desk.session).add(
        replace(
            first,
            id=0,
            uid="",
            # So much at once has a cause before the models: what feeds them.
            key=incident_key(PRODUCTION, Family.PIPELINE, scope),
            family=Family.PIPELINE,
            model=SEVERAL,
            scope=scope,
            started_at=first.started_at,
            detected_at=now,
            updated_at=now,
            standing=Standing(severity=first.severity),
            owner=replace(first.owner, why="more incidents opened at once than are told singly"),
            continues=None,
        )
    )
