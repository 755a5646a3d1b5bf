"""What alerting speaks of: severities, states, members and facts of an incident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from alerts.plan import Plan
from monitor.model import Family

#: The deployment that answers users; challengers have slots of their own.
PRODUCTION = "production"
#: Scope of the one incident that is about the service and no model; auditors move it, not windows.
SELF = "service:watchkeeper"


class Severity(StrEnum):
    """How soon a person must look: now, this week, when reading the digest."""

    DIGEST = "digest"
    TICKET = "ticket"
    PAGE = "page"

    @property
    def rank(self) -> int:
        """0 for digest, 1 for ticket, 2 for page."""
        return _RANKS[self]


_RANKS = {Severity.DIGEST: 0, Severity.TICKET: 1, Severity.PAGE: 2}


class Evaluability(StrEnum):
    """Whether a window allows a verdict; anything but OK freezes a series as it is."""

    OK = "ok"
    NO_DATA = "no_data"
    LATE_LABELS = "late_labels"
    ERROR = "error"
    INSUFFICIENT_N = "insufficient_n"


class SeriesState(StrEnum):
    """Where one series stands; PENDING has breaches, but not yet enough of them to fire."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"


class IncidentState(StrEnum):
    """Where an incident stands; the table of moves is in ``alerts.transitions``."""

    PENDING = "pending"
    OPEN = "open"
    ACKED = "acked"
    MITIGATING = "mitigating"
    SNOOZED = "snoozed"
    RECOVERING = "recovering"
    RESOLVED = "resolved"
    CLOSED = "closed"
    MERGED = "merged"
    DISCARDED = "discarded"


#: States in which an incident holds its key: no second one may be opened beside it.
LIVE_STATES = frozenset(
    {
        IncidentState.PENDING,
        IncidentState.OPEN,
        IncidentState.ACKED,
        IncidentState.MITIGATING,
        IncidentState.SNOOZED,
        IncidentState.RECOVERING,
    }
)
#: States that nothing leaves.
FINAL_STATES = frozenset({IncidentState.CLOSED, IncidentState.MERGED, IncidentState.DISCARDED})


class Verdict(StrEnum):
    """What a person said about an incident afterwards; it feeds the precision of the rule."""

    USEFUL = "useful"
    NOISE = "noise"
    KNOWN = "known"
    DATA_BUG = "data_bug"


class DeliveryKind(StrEnum):
    """What is sent: the root message, an edit of it, or a reply in its thread."""

    ROOT = "root"
    UPDATE = "update"
    REPLY = "reply"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The newest thing that a series said, as it is shown; no row values.

    Parameters
    ----------
    limit
        The threshold that matters: the one that was passed, else the nearest.
    n
        Rows or labels behind the number.
    """

    reason: str
    window_start: datetime
    window_end: datetime
    effect: float | None = None
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None
    n: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the reading as plain JSON types."""
        return _to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(**_instants(data, "window_start", "window_end"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One series of an incident, as a person sees it."""

    model: str
    family: Family
    check: str
    metric: str
    column: str | None
    segment: str | None
    state: SeriesState
    evaluability: Evaluability
    since: datetime | None
    reading: Reading


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Something that changed at the same time as a loss; evidence, not proof."""

    column: str
    check: str
    reason: str
    effect: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the newest window of an incident adds to its message.

    Parameters
    ----------
    rows, labels
        Predictions in the window, and how many have a label.
    columns_checked
        How many columns the window was checked on.
    causes
        Columns that broke or drifted in the same window, strongest first.
    causes_hidden
        How many more there were.
    """

    version: int
    window_start: datetime
    window_end: datetime
    rows: int
    labels: int
    labels_mature: bool
    columns_checked: int = 0
    causes: tuple[Cause, ...] = ()
    causes_hidden: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain JSON types."""
        return {**_to_dict(self), "causes": [_to_dict(cause) for cause in self.causes]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        causes = tuple(Cause(**cause) for cause in data["causes"])
        return cls(**{**_instants(data, "window_start", "window_end"), "causes": causes})


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Who is told, and by which way the message found them."""

    name: str
    team: str
    slack: str | None = None
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the owner as plain JSON types."""
        return _to_dict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """The part of an incident that transitions decide.

    Parameters
    ----------
    notified
        Whether a root message was ordered; nothing else is ever sent before.
    prior
        Where a breach sends an incident back to that was recovering.
    provisional
        Recovering on hope: a new version serves, its labels are not in yet.
    notified_members
        How many series the last new message spoke of.
    snoozed_effect
        How bad it was when it was snoozed; a quarter worse ends the snooze.
    called_at, level
        Since when people have been called without an answer, and how many steps of the escalation
        were taken since.
    """

    state: IncidentState = IncidentState.PENDING
    severity: Severity = Severity.TICKET
    revision: int = 0
    notified: bool = False
    notified_members: int = 0
    prior: IncidentState | None = None
    provisional: bool = False
    opened_at: datetime | None = None
    acked_by: str | None = None
    ack_expires_at: datetime | None = None
    snoozed_by: str | None = None
    snoozed_until: datetime | None = None
    snooze_condition: str | None = None
    snoozed_effect: float | None = None
    mitigation: str | None = None
    deadline: datetime | None = None
    cleared_at: datetime | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None
    flaps: int = 0
    reopen_count: int = 0
    merged_into: int | None = None
    verdict: Verdict | None = None
    verdict_by: str | None = None
    called_at: datetime | None = None
    level: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """One trouble that people are told of once.

    Parameters
    ----------
    id, uid
        The number in its name, and a name that no other database has given.
    scope
        What its series have in common: a source, else the model.
    started_at, detected_at
        Start of the first bad window, and when the series fired.
    continues
        The resolved incident of the same key that came before it.
    columns
        Every column that was ever a member, in order of joining.
    summary
        What is wrong, in one line.
    destinations
        Where it has been told so far.
    plan
        Where it is told in every case, decided when it was opened.
    """

    id: int
    uid: str
    key: str
    model: str
    slot: str
    family: Family
    scope: str
    started_at: datetime
    detected_at: datetime
    updated_at: datetime
    standing: Standing
    facts: Facts
    owner: Owner
    columns: tuple[str, ...] = ()
    summary: str = ""
    destinations: tuple[str, ...] = ()
    plan: Plan = field(default_factory=Plan)
    continues: int | None = None

    @property
    def name(self) -> str:
        """How people call it.

        ``INC-0142`` for the incident with ``id`` 142.
        """
        return f"INC-{self.id:04d}"

    @property
    def state(self) -> IncidentState:
        """Where it stands."""
        return self.standing.state

    @property
    def severity(self) -> Severity:
        """How soon a person must look."""
        return self.standing.severity

    @property
    def is_live(self) -> bool:
        """Whether it lasts: it holds its key."""
        return self.standing.state in LIVE_STATES


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentChange:
    """One move of an incident, for logs and progress."""

    incident: Incident
    event: str
    before: IncidentState | None

    @property
    def after(self) -> IncidentState:
        """Where the incident stands now."""
        return self.incident.state


def _to_dict(thing: Any) -> dict[str, Any]:
    values = {item.name: getattr(thing, item.name) for item in fields(thing)}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _instants(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**data, **{name: datetime.fromisoformat(data[name]) for name in names}}
