"""Incidents, their audit trail and their messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.model import Family
from monitor.performance.burn import Burn
from reports.model.attribution import AttributionView
from reports.model.drift import Finding
from reports.model.paging import Paging
from reports.model.performance import Timeline
from reports.model.runs import RunRow
from reports.model.verdicts import RuleRow


class Filter(StrEnum):
    """Which incidents of a list are wanted."""

    OPEN = "open"
    RESOLVED = "resolved"
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentRow:
    """One incident in a list."""

    id: str
    model: str
    zone: str
    family: Family
    severity: str
    state: str
    open: bool
    summary: str
    opened_at: datetime
    resolved_at: datetime | None = None
    acknowledged_by: str | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentsView:
    """A filtered list of incidents, newest first."""

    rows: tuple[IncidentRow, ...]
    paging: Paging
    as_of: datetime
    state: Filter = Filter.OPEN
    model: str = ""
    family: str = ""
    open_total: int = 0
    rules: tuple[RuleRow, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """One change of an incident: who, when, from which state to which, and why."""

    at: datetime
    actor: str
    action: str
    before: str | None = None
    after: str | None = None
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryRow:
    """One message of an incident and what became of it.

    Parameters
    ----------
    at
        Event time at which it was ordered.
    waited
        Seconds of wall time until it had arrived; None while it has not.
    note
        What is unusual about its arrival.
    """

    id: str
    destination: str
    kind: str
    state: str
    attempts: int
    at: datetime
    waited: float | None = None
    error: str | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentView:
    """Everything about one incident."""

    row: IncidentRow
    as_of: datetime
    audit: tuple[AuditEntry, ...]
    deliveries: tuple[DeliveryRow, ...]
    evidence: tuple[Finding, ...]
    timeline: Timeline | None = None
    runs: tuple[RunRow, ...] = ()
    reopened: int = 0
    revision: int | None = None
    attribution: AttributionView | None = None
    burn: Burn | None = None
