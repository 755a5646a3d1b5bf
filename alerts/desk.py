"""Where events meet incidents: apply the move, keep the history, order what is to be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from alerts import events
from alerts.events import Event
from alerts.model import Incident, IncidentChange, Standing
from alerts.outbox import Outbox
from alerts.repository import History, Incidents
from alerts.transitions import apply

_WORDS: Mapping[type[Event], str] = {
    events.NotifyDue: "opened",
    events.Gathered: "gathered",
    events.Joined: "grew",
    events.Changed: "changed",
    events.Raised: "raised",
    events.Escalated: "escalated",
    events.Acked: "acknowledged",
    events.AckExpired: "ack_expired",
    events.Snoozed: "snoozed",
    events.Woken: "woken",
    events.MitigationStarted: "mitigation_started",
    events.MitigationFailed: "mitigation_failed",
    events.Promoted: "promoted",
    events.Cleared: "cleared",
    events.Breached: "breached",
    events.HoldElapsed: "resolved",
    events.Ended: "ended",
    events.Merged: "merged",
    events.JudgedBy: "judged",
    events.Aged: "aged",
    events.Noted: "noted",
}


class Desk:
    """Applies events in the caller's transaction and collects the moves that were made."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._incidents = Incidents(session)
        self._history = History(session)
        self._outbox = Outbox(session)
        self.changes: list[IncidentChange] = []

    @property
    def session(self) -> Session:
        """The caller's transaction."""
        return self._session

    def handle(self, incident: Incident, event: Event) -> Incident:
        """Apply one event to an incident as it stands now, and return it as it is afterwards.

        Raises
        ------
        ConflictError
            A person asked for what the state does not allow.
        """
        incident = self._incidents.lock(incident.id)
        move = apply(incident.standing, event)
        if move.standing == incident.standing:
            return incident
        after = replace(
            incident,
            standing=move.standing,
            updated_at=_later(incident, event.at),
            destinations=_destinations(incident, move.standing, event),
        )
        self._incidents.save(after)
        if not isinstance(event, events.Changed):
            self._history.write_down(
                after,
                at=event.at,
                actor=event.actor,
                event=_WORDS[type(event)],
                before=incident.state,
                reason=_reason(event),
            )
            self.changes.append(
                IncidentChange(incident=after, event=_WORDS[type(event)], before=incident.state)
            )
        for say in move.says:
            self._outbox.enqueue(after, say, at=event.at)
        return after


def _destinations(incident: Incident, after: Standing, event: Event) -> tuple[str, ...]:
    """Return where the incident is told from now on: a worse one is told at more places."""
    more: tuple[str, ...] = ()
    if after.severity is not incident.severity:
        more = incident.plan.of(after.severity)
    elif isinstance(event, events.Escalated):
        more = event.to
    return tuple(dict.fromkeys([*incident.destinations, *more]))


def _later(incident: Incident, at: datetime) -> datetime:
    return max(incident.updated_at, at)


def _reason(event: Event) -> str:
    for name in ("reason", "text", "what", "condition"):
        value = getattr(event, name, None)
        if isinstance(value, str):
            return value
    if isinstance(event, events.Raised):
        return str(event.severity)
    return str(event.verdict) if isinstance(event, events.JudgedBy) else ""
