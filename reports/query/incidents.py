"""Incidents from the alerting tables: lists, one incident, spans for a timeline, counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from alerts import rows as tables
from alerts.model import LIVE_STATES, Facts, IncidentState, Reading, SeriesState, Severity
from monitor.burn import burn_since
from monitor.model import CheckStatus, Family
from monitor.performance.burn import Burn
from reports.model import (
    AuditEntry,
    DeliveryRow,
    Filter,
    Finding,
    IncidentRow,
    IncidentSpan,
    Paging,
)
from watchkeeper.window import Window

OPEN = LIVE_STATES - {IncidentState.PENDING}
_OVER = frozenset({IncidentState.RESOLVED, IncidentState.CLOSED, IncidentState.MERGED})
_STATES = {Filter.OPEN: OPEN, Filter.RESOLVED: _OVER, Filter.ALL: OPEN | _OVER}
_MOST_EVENTS = 500
_MOST_MEMBERS = 200
_STATUS = {
    SeriesState.FIRING: CheckStatus.CRITICAL,
    SeriesState.PENDING: CheckStatus.WARNING,
    SeriesState.RECOVERING: CheckStatus.WARNING,
    SeriesState.OK: CheckStatus.OK,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Burden:
    """The open incidents of one model: how many, and the severest."""

    count: int
    severity: Severity


def burdens(session: Session) -> dict[str, Burden]:
    """Return the models that have open incidents, with their number and the severest."""
    counted = session.execute(
        select(tables.IncidentRow.model, tables.IncidentRow.severity, func.count())
        .where(tables.IncidentRow.state.in_(OPEN))
        .group_by(tables.IncidentRow.model, tables.IncidentRow.severity)
    )
    found: dict[str, Burden] = {}
    for model, name, count in counted:
        severity = Severity(name)
        known = found.get(model, Burden(count=0, severity=severity))
        worst = max(known.severity, severity, key=lambda each: each.rank)
        found[model] = Burden(count=known.count + count, severity=worst)
    return found


def listed(
    session: Session,
    zones: Mapping[str, str],
    *,
    state: Filter,
    paging: Paging,
    model: str = "",
    family: str = "",
) -> tuple[IncidentRow, ...]:
    """Return one page of incidents, newest first."""
    rows = session.scalars(
        select(tables.IncidentRow)
        .where(*_wanted(state, model, family))
        .order_by(tables.IncidentRow.id.desc())
        .offset(paging.offset)
        .limit(paging.size)
    )
    return tuple(to_row(row, zones) for row in rows)


def counted(session: Session, *, state: Filter, model: str = "", family: str = "") -> int:
    """Return how many incidents a filter lets through."""
    wanted = _wanted(state, model, family)
    return session.scalar(select(func.count()).select_from(tables.IncidentRow).where(*wanted)) or 0


def spans(session: Session, model: str, start: datetime, end: datetime) -> tuple[IncidentSpan, ...]:
    """Return the times in ``[start, end)`` during which incidents of a model were open."""
    row = tables.IncidentRow
    rows = session.scalars(
        select(row)
        .where(row.model == model, row.state.in_(OPEN | _OVER))
        .where(row.started_at < end, or_(row.resolved_at.is_(None), row.resolved_at > start))
        .order_by(row.id)
    )
    return tuple(
        IncidentSpan(
            id=str(found.id),
            family=Family(found.family),
            severity=found.severity,
            began=found.started_at,
            start=found.opened_at or found.detected_at,
            end=_end(found),
        )
        for found in rows
    )


def history(session: Session, incident_id: int) -> tuple[AuditEntry, ...]:
    """Return what happened to an incident, oldest first."""
    entry = tables.IncidentEventRow
    rows = session.scalars(
        select(entry).where(entry.incident_id == incident_id).order_by(entry.id).limit(_MOST_EVENTS)
    )
    return tuple(
        AuditEntry(
            at=row.at,
            actor=row.actor,
            action=row.event,
            before=row.before,
            after=row.after,
            text=row.reason,
        )
        for row in rows
    )


def deliveries(session: Session, incident_id: int) -> tuple[DeliveryRow, ...]:
    """Return the messages of an incident, oldest first."""
    line = tables.DeliveryRow
    rows = session.scalars(
        select(line)
        .where(line.incident_id == incident_id)
        .order_by(line.sequence)
        .limit(_MOST_EVENTS)
    )
    return tuple(
        DeliveryRow(
            id=row.id,
            destination=row.destination,
            kind=row.kind,
            state=row.state,
            attempts=row.attempt,
            at=row.at,
            waited=None if row.sent_at is None else row.sent_at - row.enqueued_at,
            error=row.error_text if row.sent_at is None else None,
            note=_note(row),
        )
        for row in rows
    )


def evidence(session: Session, row: tables.IncidentRow) -> tuple[Finding, ...]:
    """Return what an incident rests on: its series, then what changed at the same time."""
    series = session.scalars(
        select(tables.SeriesRow).where(tables.SeriesRow.incident_id == row.id).limit(_MOST_MEMBERS)
    )
    members = sorted((_member(each) for each in series), key=_badness)
    causes = [
        Finding(
            status=CheckStatus.WARNING,
            family=Family.INPUT_DRIFT,
            check=cause["check"],
            reason=cause["reason"],
            column=cause["column"],
        )
        for cause in row.facts.get("causes", ())
    ]
    return (*members, *causes)


def burn(session: Session, row: tables.IncidentRow) -> Burn | None:
    """Return what a loss of performance has cost since it began; None for other incidents."""
    if row.family != Family.PERFORMANCE:
        return None
    live = IncidentState(row.state) in LIVE_STATES
    until = None if live else Facts.from_dict(row.facts).window_end
    return burn_since(session, row.model, row.started_at, until=until)


def burning(session: Session, model: str) -> Burn | None:
    """Return what the open loss of performance of a model has cost; None where there is none."""
    row = session.scalars(
        select(tables.IncidentRow)
        .where(tables.IncidentRow.model == model, tables.IncidentRow.state.in_(OPEN))
        .where(tables.IncidentRow.family == Family.PERFORMANCE)
        .limit(1)
    ).first()
    return None if row is None else burn(session, row)


def to_row(row: tables.IncidentRow, zones: Mapping[str, str]) -> IncidentRow:
    """Return an incident as a list shows it."""
    return IncidentRow(
        id=str(row.id),
        model=row.model,
        zone=zones.get(row.model, "UTC"),
        family=Family(row.family),
        severity=row.severity,
        state=row.state,
        open=IncidentState(row.state) in OPEN,
        summary=row.summary,
        opened_at=row.opened_at or row.detected_at,
        resolved_at=_end(row),
        acknowledged_by=row.acked_by,
        columns=tuple(row.columns),
    )


def _wanted(state: Filter, model: str, family: str) -> Iterable[ColumnElement[bool]]:
    states: Collection[IncidentState] = _STATES[state]
    yield tables.IncidentRow.state.in_(states)
    if model:
        yield tables.IncidentRow.model == model
    if family:
        yield tables.IncidentRow.family == family


def _end(row: tables.IncidentRow) -> datetime | None:
    if IncidentState(row.state) in OPEN:
        return None
    return row.resolved_at or row.updated_at


def _member(row: tables.SeriesRow) -> Finding:
    reading = Reading.from_dict(row.reading)
    return Finding(
        status=_STATUS[SeriesState(row.state)],
        family=Family(row.family),
        check=row.check,
        reason=reading.reason,
        column=row.column,
        metric=row.metric,
        value=reading.value,
        lower=reading.lower,
        upper=reading.upper,
        limit=reading.limit,
        window=Window(start=reading.window_start, end=reading.window_end),
    )


def _badness(found: Finding) -> tuple[bool, str]:
    return (found.status is not CheckStatus.CRITICAL, found.column or "")


def _note(row: tables.DeliveryRow) -> str:
    if row.possible_repeat:
        return "may be a repeat"
    return "found in the channel, not sent again" if row.adopted else ""
