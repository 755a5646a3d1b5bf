"""What follows for an incident from where its members stand."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from alerts import events
from alerts.desk import Desk
from alerts.keys import LABELS
from alerts.model import Incident, IncidentState
from alerts.policy import AlertPolicy
from alerts.repository import Incidents, SeriesStore
from alerts.series import RollCall
from alerts.silences import Silences
from alerts.silencing import is_silenced
from alerts.storm import is_sheltered, shelter
from monitor.model import Family

#: A snoozed incident is heard of again when it is this many times as bad.
_WORSE = 1.25

#: Whose incidents keep which others quiet: a broken source explains the drift that it causes.
_INHIBITORS: dict[Family, tuple[Family, ...]] = {
    Family.DATA_CONTRACT: (Family.PIPELINE,),
    Family.INPUT_DRIFT: (Family.PIPELINE, Family.DATA_CONTRACT),
    Family.OUTPUT_DRIFT: (Family.PIPELINE, Family.DATA_CONTRACT),
}


def is_held_back(session: Session, incident: Incident, now: datetime) -> bool:
    """Tell whether an incident is not to be told yet: inhibited by another, or silenced.

    An open incident of the same model may explain it already; one that people have not been told
    of inhibits nothing.
    """
    if incident.state is not IncidentState.PENDING:
        return False
    if is_sheltered(Incidents(session), incident):
        return True
    silences = Silences(session).active(now)
    if silences and is_silenced(SeriesStore(session).firing_in(incident.id), silences, now):
        return True
    families = _INHIBITORS.get(incident.family, ())
    if not families:
        return False
    others = Incidents(session).live_of(incident.model, families)
    # Labels that do not come explain nothing of the features.
    told = [other for other in others if other.state is not IncidentState.PENDING]
    return any(not other.scope.startswith(LABELS) for other in told)


def settle(
    desk: Desk,
    incident: Incident,
    roll: RollCall,
    *,
    policy: AlertPolicy,
    now: datetime,
    held_back: bool,
    changed: bool,
) -> Incident:
    """Move an incident as far as its members and the time allow, and return it.

    Parameters
    ----------
    held_back
        Whether nobody is to be told of it yet.
    changed
        Whether a new window has said something about it.
    """
    before = incident.standing.revision
    reason = _wakes(incident, roll, judged=changed)
    if reason is not None:
        incident = desk.handle(incident, events.Woken(at=now, reason=reason))
    if roll.firing:
        incident = desk.handle(incident, events.Breached(at=now, members=roll.lasting))
    if not roll.lasting:
        incident = desk.handle(incident, events.Cleared(at=now))
    # What was held back and is over but for its last windows is no news.
    due = roll.firing and now >= incident.detected_at + policy.group_wait
    if incident.state is IncidentState.PENDING and due and not held_back:
        incident = shelter(desk, incident, most=policy.storm, now=now)
        if not is_sheltered(Incidents(desk.session), incident):
            incident = desk.handle(incident, events.NotifyDue(at=now, members=roll.lasting))
    if roll.all_quiet:
        incident = desk.handle(incident, events.HoldElapsed(at=now, hold=policy.hold))
    if changed and incident.standing.revision == before:
        incident = desk.handle(incident, events.Changed(at=now))
    return incident


def _wakes(incident: Incident, roll: RollCall, *, judged: bool) -> str | None:
    """Return why a snoozed incident must be heard of again, or None."""
    standing = incident.standing
    if standing.state is not IncidentState.SNOOZED:
        return None
    worst = roll.worst_effect
    if standing.snoozed_effect is not None and worst >= _WORSE * standing.snoozed_effect > 0:
        return f"it is {worst / standing.snoozed_effect - 1:.0%} worse"
    if standing.snooze_condition == events.NEXT_LABELS and judged:
        return "new labels are in"
    return None
