"""Incidents, their audit trail and their messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.model import Family
from reports.model.drift import Finding
from reports.model.paging import Paging
from reports.model.performance import Timeline
from reports.model.runs import RunRow


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
    state: str = "open"
    model: str = ""
    family: str = ""
    open_total: int = 0


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
    """One message of an incident and what became of it."""

    id: str
    destination: str
    kind: str
    state: str
    attempts: int
    enqueued_at: datetime | None = None
    sent_at: datetime | None = None
    error: str | None = None
    link: str | None = None


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
