"""What follows for an incident from where its members stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from alerts import events
from alerts.desk import Desk
from alerts.model import Evaluability, Incident, IncidentState, SeriesState
from alerts.policy import AlertPolicy
from alerts.repository import Incidents
from alerts.series import Series
from monitor.model import Family

#: Whose incidents keep which others quiet: a broken source explains the drift that it causes.
_INHIBITORS: dict[Family, tuple[Family, ...]] = {
    Family.DATA_CONTRACT: (Family.PIPELINE,),
    Family.INPUT_DRIFT: (Family.PIPELINE, Family.DATA_CONTRACT),
    Family.OUTPUT_DRIFT: (Family.PIPELINE, Family.DATA_CONTRACT),
}


def inhibited(session: Session, incident: Incident) -> bool:
    """Tell whether an open incident of the same model explains this one already.

    An incident that people have not been told of inhibits nothing.
    """
    families = _INHIBITORS.get(incident.family, ())
    if not families:
        return False
    others = Incidents(session).live_of(incident.model, families)
    return any(other.state is not IncidentState.PENDING for other in others)


def settle(
    desk: Desk,
    incident: Incident,
    members: Sequence[Series],
    *,
    policy: AlertPolicy,
    now: datetime,
    is_inhibited: bool,
    changed: bool,
) -> Incident:
    """Move an incident as far as its members and the time allow, and return it.

    Parameters
    ----------
    members
        All series of the incident; none when a new version reads none of their columns.
    changed
        Whether a new window has said something about it.
    """
    before = incident.standing.revision
    firing = [series for series in members if series.is_firing]
    if any(series.state is SeriesState.FIRING for series in firing):
        incident = desk.handle(incident, events.Breached(at=now, members=len(firing)))
    if not firing:
        incident = desk.handle(incident, events.Cleared(at=now))
    due = now >= incident.detected_at + policy.group_wait
    if incident.state is IncidentState.PENDING and due and not is_inhibited:
        incident = desk.handle(incident, events.NotifyDue(at=now, members=len(firing)))
    if all(_is_quiet(series) for series in members):
        incident = desk.handle(incident, events.HoldElapsed(at=now, hold=policy.hold))
    if changed and incident.standing.revision == before:
        incident = desk.handle(incident, events.Changed(at=now))
    return incident


def _is_quiet(series: Series) -> bool:
    known = series.track.evaluability is Evaluability.OK
    return known and series.state is SeriesState.OK
