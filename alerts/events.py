"""What can happen to an incident, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.model import DeliveryKind, Severity, Verdict

#: Actor of everything that no person did.
SYSTEM = "watchkeeper"
#: What may end a snooze before its time, in the words that people see.
NEXT_LABELS = "next labels"
NEXT_DEPLOY = "next deploy"
WORSE = "25 % worse"
CONDITIONS = (NEXT_LABELS, NEXT_DEPLOY, WORSE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened at an instant of event time, done by somebody."""

    at: datetime
    actor: str = SYSTEM


@dataclass(frozen=True, kw_only=True, slots=True)
class NotifyDue(Event):
    """The group is complete and nothing inhibits or silences it."""

    members: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered(Event):
    """Too many open at once: it is told under another incident."""

    into: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined(Event):
    """More series belong to it; ``members`` is their number now."""

    members: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed(Event):
    """A new window brought new facts, and no new state."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Raised(Event):
    """It is worse than it was called."""

    severity: Severity
    members: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Escalated(Event):
    """Nobody has acknowledged the page for ``waited``; step ``level`` tells more people."""

    level: int
    waited: timedelta
    to: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Acked(Event):
    """A person has seen it and takes care, until ``expires_at`` if nothing more is heard."""

    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AckExpired(Event):
    """The person who took care has not been heard of since."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snoozed(Event):
    """A person wants to hear of it later: at a time, on a condition, or whichever comes first."""

    until: datetime | None = None
    condition: str | None = None
    effect: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Woken(Event):
    """A snooze has ended, by its time, its condition, or because things got worse."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MitigationStarted(Event):
    """A repair is running; it must be done by the deadline."""

    what: str
    deadline: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class MitigationFailed(Event):
    """The repair failed, was refused, or did not end in time."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Promoted(Event):
    """A new version serves; whether it is better its own windows will tell."""

    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleared(Event):
    """Every series has been clear for its number of windows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breached(Event):
    """A series fires again, or anew."""

    members: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldElapsed(Event):
    """It stayed quiet for the hold time, with windows that allowed a verdict."""

    hold: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended(Event):
    """It ends for a reason that is no recovery: manual, rule_changed, model_retired."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged(Event):
    """It is part of another incident."""

    into: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedBy(Event):
    """A person says what the incident was worth."""

    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Aged(Event):
    """Nobody judged it for this long after it was resolved."""

    after: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted(Event):
    """A line for the thread."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Say:
    """Something to send.

    Parameters
    ----------
    text
        The words of a reply; the root and its edits are written when they are sent.
    broadcast
        Show the reply in the channel too.
    mention
        Call the owner; edits never can.
    """

    kind: DeliveryKind
    text: str = ""
    broadcast: bool = False
    mention: bool = False
