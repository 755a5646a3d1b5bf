"""The incident state machine, pure: a standing and an event give a new standing and what to say.

::

    PENDING --notify due--> OPEN --ack--> ACKED --expired, worse--> OPEN
       |                     | snooze, repair
       | cleared             v
       v                  SNOOZED / MITIGATING --time, condition, worse, failed--> OPEN
    DISCARDED
    OPEN | ACKED | SNOOZED | MITIGATING --cleared, promoted--> RECOVERING --hold--> RESOLVED
    RECOVERING --breach--> where it was before        RESOLVED --breach--> OPEN (same thread)
    RESOLVED --verdict, age--> CLOSED                 any live state --> MERGED | RESOLVED (ended)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from alerts import events
from alerts.events import Event, Say
from alerts.model import (
    FINAL_STATES,
    LIVE_STATES,
    DeliveryKind,
    IncidentState,
    Severity,
    Standing,
)
from alerts.wording import span
from watchkeeper.errors import ConflictError

_STATE = IncidentState
#: States in which the trouble is known to last.
ACTIVE = LIVE_STATES - {_STATE.PENDING, _STATE.RECOVERING}
_UPDATE = Say(kind=DeliveryKind.UPDATE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """The standing after an event, and what is to be said about it."""

    standing: Standing
    says: tuple[Say, ...] = ()


def apply(standing: Standing, event: Event) -> Move:
    """Return what an event makes of a standing.

    What a machine reports and no longer matters leaves the standing as it is; what a person asks
    for and cannot be done is refused, so that the person can be told.

    Raises
    ------
    ConflictError
        A person's request does not fit the state, for example acknowledging what is resolved.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> noon = datetime(2013, 6, 1, 12, tzinfo=UTC)
    >>> move = apply(Standing(), events.NotifyDue(at=noon, members=1))
    >>> move.standing.state, [say.kind for say in move.says]
    (<IncidentState.OPEN: 'open'>, [<DeliveryKind.ROOT: 'root'>])
    """
    move = _HANDLERS[type(event)](standing, event)
    if move.standing == standing and not move.says:
        return Move(standing=standing)
    after = _calling(standing, replace(move.standing, revision=standing.revision + 1), event)
    # Who never heard of an incident is not told that it changed or ended.
    return Move(standing=after, says=move.says if after.notified else ())


def _calling(before: Standing, after: Standing, event: Event) -> Standing:
    """Return the standing with its escalation begun anew, where people are called anew."""
    again = before.state is not _STATE.OPEN or after.severity is not before.severity
    if after.state is _STATE.OPEN and again:
        return replace(after, called_at=event.at, level=0)
    return after


def _notify_due(standing: Standing, event: events.NotifyDue) -> Move:
    if standing.state is not _STATE.PENDING:
        return Move(standing=standing)
    opened = replace(standing, state=_STATE.OPEN, merged_into=None, opened_at=event.at)
    return _notify(opened, event.members)


def _notify(standing: Standing, members: int) -> Move:
    if standing.severity is Severity.DIGEST:
        return Move(standing=standing)
    told = replace(standing, notified=True, notified_members=members)
    return Move(standing=told, says=(Say(kind=DeliveryKind.ROOT, mention=True),))


def _gathered(standing: Standing, event: events.Gathered) -> Move:
    if standing.state is not _STATE.PENDING:
        return Move(standing=standing)
    return Move(standing=replace(standing, merged_into=event.into))


def _joined(standing: Standing, event: events.Joined) -> Move:
    if standing.state not in LIVE_STATES or not standing.notified:
        return Move(standing=standing)
    if event.members <= 2 * standing.notified_members:
        return Move(standing=standing, says=(_UPDATE,))
    grown = replace(standing, notified_members=event.members)
    text = f"It has grown from {standing.notified_members} to {event.members} findings."
    return Move(standing=grown, says=(_UPDATE, _reply(text)))


def _changed(standing: Standing, _event: events.Changed) -> Move:
    live = standing.state in LIVE_STATES and standing.notified
    return Move(standing=standing, says=(_UPDATE,) if live else ())


def _raised(standing: Standing, event: events.Raised) -> Move:
    if event.severity.rank <= standing.severity.rank or standing.state not in LIVE_STATES:
        return Move(standing=standing)
    raised = replace(standing, severity=event.severity)
    if standing.state is _STATE.PENDING:
        return Move(standing=raised)
    raised = _reopened(raised)
    if not standing.notified:
        return _notify(raised, event.members)
    text = f"Raised from {standing.severity} to {event.severity}."
    return Move(standing=raised, says=(_UPDATE, _reply(text, mention=True, broadcast=True)))


def _escalated(standing: Standing, event: events.Escalated) -> Move:
    page = standing.state is _STATE.OPEN and standing.severity is Severity.PAGE
    if not page or event.level <= standing.level:
        return Move(standing=standing)
    text = f"Nobody has acknowledged it for {span(event.waited)}: told {', '.join(event.to)} too."
    raised = replace(standing, level=event.level)
    return Move(standing=raised, says=(_reply(text, mention=True, broadcast=True),))


def _acked(standing: Standing, event: events.Acked) -> Move:
    if standing.state is _STATE.ACKED:
        raise ConflictError(f"already acknowledged by {standing.acked_by}")
    _require(standing, {_STATE.OPEN, _STATE.SNOOZED}, "be acknowledged")
    acked = replace(
        _reopened(standing),
        state=_STATE.ACKED,
        acked_by=event.actor,
        ack_expires_at=event.expires_at,
    )
    return Move(standing=acked, says=(_UPDATE, _reply(f"Acknowledged by {event.actor}.")))


def _ack_expired(standing: Standing, event: events.AckExpired) -> Move:
    due = standing.ack_expires_at is not None and event.at >= standing.ack_expires_at
    if standing.state is not _STATE.ACKED or not due:
        return Move(standing=standing)
    if standing.severity is not Severity.PAGE:
        return Move(standing=standing)
    text = f"Still not resolved, and nothing heard since {standing.acked_by} acknowledged it."
    again = _reopened(standing)
    return Move(standing=again, says=(_UPDATE, _reply(text, mention=True, broadcast=True)))


def _snoozed(standing: Standing, event: events.Snoozed) -> Move:
    _require(standing, ACTIVE - {_STATE.MITIGATING}, "be snoozed")
    if event.until is None and event.condition is None:
        raise ConflictError("a snooze needs an end: a time or a condition")
    snoozed = replace(
        _reopened(standing),
        state=_STATE.SNOOZED,
        snoozed_by=event.actor,
        snoozed_until=event.until,
        snooze_condition=event.condition,
        snoozed_effect=event.effect,
    )
    until = f" until {event.until:%d %b %H:%M} UTC" if event.until else ""
    condition = f" ({event.condition})" if event.condition else ""
    reply = _reply(f"Snoozed by {event.actor}{until}{condition}.")
    return Move(standing=snoozed, says=(_UPDATE, reply))


def _woken(standing: Standing, event: events.Woken) -> Move:
    if standing.state is not _STATE.SNOOZED:
        return Move(standing=standing)
    text = f"The snooze has ended: {event.reason}."
    return Move(standing=_reopened(standing), says=(_UPDATE, _reply(text, mention=True)))


def _mitigation_started(standing: Standing, event: events.MitigationStarted) -> Move:
    if standing.state not in ACTIVE:
        return Move(standing=standing)
    mitigating = replace(
        _reopened(standing),
        state=_STATE.MITIGATING,
        acked_by=standing.acked_by,
        mitigation=event.what,
        deadline=event.deadline,
    )
    return Move(standing=mitigating, says=(_UPDATE, _reply(event.what)))


def _mitigation_failed(standing: Standing, event: events.MitigationFailed) -> Move:
    if standing.state is not _STATE.MITIGATING:
        return Move(standing=standing)
    reply = _reply(event.reason, mention=True, broadcast=standing.severity is Severity.PAGE)
    return Move(standing=_reopened(standing), says=(_UPDATE, reply))


def _promoted(standing: Standing, event: events.Promoted) -> Move:
    if standing.state not in ACTIVE:
        return Move(standing=standing)
    hopeful = replace(
        _reopened(standing),
        state=_STATE.RECOVERING,
        prior=_STATE.OPEN,
        provisional=True,
        cleared_at=None,
    )
    return Move(standing=hopeful, says=(_UPDATE, _reply(event.what)))


def _cleared(standing: Standing, event: events.Cleared) -> Move:
    if standing.state is _STATE.PENDING:
        return Move(standing=replace(standing, state=_STATE.DISCARDED, resolved_at=event.at))
    if standing.state is _STATE.RECOVERING and standing.cleared_at is None:
        known = replace(standing, cleared_at=event.at, provisional=False)
        return Move(standing=known, says=(_UPDATE,))
    if standing.state not in ACTIVE:
        return Move(standing=standing)
    recovering = replace(
        standing, state=_STATE.RECOVERING, prior=standing.state, cleared_at=event.at
    )
    return Move(standing=recovering, says=(_UPDATE,))


def _breached(standing: Standing, event: events.Breached) -> Move:
    if standing.state is _STATE.RESOLVED:
        again = replace(
            _reopened(standing), resolved_at=None, reopen_count=standing.reopen_count + 1
        )
        if not standing.notified:
            return _notify(again, event.members)
        reply = _reply("It is back: reopened.", mention=True, broadcast=True)
        return Move(standing=again, says=(_UPDATE, reply))
    if standing.state is not _STATE.RECOVERING:
        return Move(standing=standing)
    back = replace(
        standing,
        state=standing.prior or _STATE.OPEN,
        prior=None,
        cleared_at=None,
        provisional=False,
        flaps=standing.flaps + 1,
    )
    if not standing.provisional:
        return Move(standing=back, says=(_UPDATE,))
    reply = _reply("The new version does not cure it.", mention=True)
    return Move(standing=back, says=(_UPDATE, reply))


def _hold_elapsed(standing: Standing, event: events.HoldElapsed) -> Move:
    quiet = standing.cleared_at is not None and event.at >= standing.cleared_at + event.hold
    if standing.state is not _STATE.RECOVERING or not quiet:
        return Move(standing=standing)
    return _resolve(standing, event, "recovered")


def _ended(standing: Standing, event: events.Ended) -> Move:
    if standing.state is _STATE.PENDING:
        return Move(standing=replace(standing, state=_STATE.DISCARDED, resolution=event.reason))
    _require(standing, LIVE_STATES, "be ended")
    return _resolve(standing, event, event.reason)


def _resolve(standing: Standing, event: Event, reason: str) -> Move:
    resolved = replace(
        _reopened(standing), state=_STATE.RESOLVED, resolved_at=event.at, resolution=reason
    )
    by = f" by {event.actor}" if event.actor != events.SYSTEM else ""
    after = f" after {span(event.at - standing.opened_at)}" if standing.opened_at else ""
    return Move(standing=resolved, says=(_UPDATE, _reply(f"Resolved{by}{after}: {reason}.")))


def _merged(standing: Standing, event: events.Merged) -> Move:
    if standing.state not in LIVE_STATES:
        return Move(standing=standing)
    merged = replace(standing, state=_STATE.MERGED, merged_into=event.into)
    return Move(standing=merged, says=(_UPDATE,))


def _judged_by(standing: Standing, event: events.JudgedBy) -> Move:
    if standing.state is _STATE.PENDING or standing.state in FINAL_STATES:
        raise ConflictError(f"a {standing.state} incident cannot be judged")
    state = _STATE.CLOSED if standing.state is _STATE.RESOLVED else standing.state
    judged = replace(standing, state=state, verdict=event.verdict, verdict_by=event.actor)
    return Move(standing=judged, says=(_UPDATE,))


def _aged(standing: Standing, event: events.Aged) -> Move:
    if standing.state is not _STATE.RESOLVED or standing.resolved_at is None:
        return Move(standing=standing)
    if event.at < standing.resolved_at + event.after:
        return Move(standing=standing)
    return Move(standing=replace(standing, state=_STATE.CLOSED))


def _noted(standing: Standing, event: events.Noted) -> Move:
    return Move(standing=standing, says=(_reply(event.text),))


def _reopened(standing: Standing) -> Standing:
    """Return the standing as open, with nothing left of acks, snoozes, repairs or recovery."""
    return replace(
        standing,
        state=_STATE.OPEN,
        prior=None,
        provisional=False,
        acked_by=None,
        ack_expires_at=None,
        snoozed_by=None,
        snoozed_until=None,
        snooze_condition=None,
        snoozed_effect=None,
        mitigation=None,
        deadline=None,
        cleared_at=None,
        resolution=None,
    )


def _reply(text: str, *, mention: bool = False, broadcast: bool = False) -> Say:
    return Say(kind=DeliveryKind.REPLY, text=text, mention=mention, broadcast=broadcast)


def _require(
    standing: Standing, states: frozenset[IncidentState] | set[IncidentState], what: str
) -> None:
    if standing.state not in states:
        raise ConflictError(f"a {standing.state} incident cannot {what}")


_Handler = Callable[[Standing, Any], Move]
_HANDLERS: dict[type[Event], _Handler] = {
    events.NotifyDue: _notify_due,
    events.Gathered: _gathered,
    events.Joined: _joined,
    events.Changed: _changed,
    events.Raised: _raised,
    events.Escalated: _escalated,
    events.Acked: _acked,
    events.AckExpired: _ack_expired,
    events.Snoozed: _snoozed,
    events.Woken: _woken,
    events.MitigationStarted: _mitigation_started,
    events.MitigationFailed: _mitigation_failed,
    events.Promoted: _promoted,
    events.Cleared: _cleared,
    events.Breached: _breached,
    events.HoldElapsed: _hold_elapsed,
    events.Ended: _ended,
    events.Merged: _merged,
    events.JudgedBy: _judged_by,
    events.Aged: _aged,
    events.Noted: _noted,
}
