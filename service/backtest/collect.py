"""Read what a replay has left in its database: incidents, pages, and the verdicts on windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alerts.model import IncidentState, Severity
from alerts.rows import DeliveryRow, IncidentEventRow, IncidentRow
from monitor.budget import Budget
from monitor.model import CheckResult, CheckStatus, EvaluatedWindow, Family
from monitor.repository import worst_status
from reports.backtest_result import (
    BacktestBudget,
    BacktestIncident,
    BacktestWindow,
    Drift,
    QualityFinding,
    Value,
)
from service.backtest.replay import Told
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import DAY

_BAD = frozenset({CheckStatus.WARNING, CheckStatus.CRITICAL, CheckStatus.FAILED})
_CONTRACT = frozenset({Family.DATA_CONTRACT, Family.PIPELINE})
_DRIFT = frozenset({Family.INPUT_DRIFT, Family.OUTPUT_DRIFT})
#: Days of the periods that a budget can be for.
_DAYS = {"week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}
#: Messages of this priority or a lower number are pages; an edit never is.
_PAGE_PRIORITY = 1


def window_of(evaluated: EvaluatedWindow, metric: str) -> BacktestWindow:
    """Return the verdict on a window.

    Parameters
    ----------
    metric
        The judged one.
    """
    results = evaluated.results
    judged = next(
        (r for r in evaluated.of(Family.PERFORMANCE) if r.measurement.metric == metric), None
    )
    whole = [r for r in results if r.measurement.column is None and r.measurement.segment is None]
    return BacktestWindow(
        window=evaluated.window,
        rows=evaluated.rows,
        labels=evaluated.labels,
        labels_mature=evaluated.labels_mature,
        status=worst_status(results),
        measurements={r.measurement.metric: _value(r) for r in whole},
        quality=tuple(_quality(r) for r in results if r.family in _CONTRACT and r.status in _BAD),
        drift=tuple(
            Drift(
                column=r.measurement.column or "",
                metric=r.measurement.metric,
                value=r.measurement.value,
                status=r.status,
            )
            for r in results
            if r.family in _DRIFT and r.status in _BAD
        ),
        limit=None if judged is None else judged.threshold.lower or judged.threshold.upper,
        performance=CheckStatus.INSUFFICIENT_DATA if judged is None else judged.status,
        reason="no row" if judged is None else judged.reason,
    )


def incidents_of(session: Session, model: str, told: Mapping[int, Told]) -> list[BacktestIncident]:
    """Return the incidents that somebody would have heard of or read about, oldest first.

    Parameters
    ----------
    told
        By number of the incident, what was said when it was told.
    """
    rows = session.scalars(
        select(IncidentRow)
        .where(IncidentRow.model == model, IncidentRow.opened_at.is_not(None))
        .where(IncidentRow.state != str(IncidentState.DISCARDED))
        .order_by(IncidentRow.opened_at, IncidentRow.id)
    ).all()
    pages = _pages(session)
    return [
        BacktestIncident(
            severity=row.severity,
            family=row.family,
            columns=tuple(row.columns),
            summary=told[row.id].words if row.id in told else row.summary,
            started_at=row.started_at,
            opened_at=row.opened_at or row.detected_at,
            resolved_at=row.resolved_at,
            paged_at=pages.get(row.id, ()) if row.severity == str(Severity.PAGE) else (),
        )
        for row in rows
    ]


def budget_of(
    settings: ModelSettings,
    span: timedelta,
    incidents: Iterable[BacktestIncident],
    known: Budget | None = None,
) -> BacktestBudget:
    """Return the budget, in proportion to the time that was replayed.

    Parameters
    ----------
    known
        What the monitor says of it, from its reference.
    """
    budget = settings.alarm_budget
    days = span / DAY
    return BacktestBudget(
        pages_allowed=round(budget.pages * days / _DAYS[budget.per], 2),
        pages_sent=sum(len(incident.paged_at) for incident in incidents),
        per=budget.per,
        days=round(days, 2),
        more={} if known is None else _said_of(known),
    )


def _said_of(known: Budget) -> dict[str, Any]:
    return {
        "statement": known.sentence,
        "verified": not known.unverified,
        "on_reference": known.to_dict(),
    }


def _pages(session: Session) -> dict[int, tuple[datetime, ...]]:
    """Return when each incident paged: once, and again for each time that it was reopened.

    Nobody answers in a back-test; what is sent for want of an answer is no further page.
    """
    first = session.execute(
        select(DeliveryRow.incident_id, func.min(DeliveryRow.at))
        .where(DeliveryRow.priority <= _PAGE_PRIORITY)
        .group_by(DeliveryRow.incident_id)
    )
    found: dict[int, tuple[datetime, ...]] = {
        incident: (at,) for incident, at in first if incident is not None
    }
    again = session.execute(
        select(IncidentEventRow.incident_id, IncidentEventRow.at)
        .where(IncidentEventRow.before == str(IncidentState.RESOLVED))
        .where(IncidentEventRow.after == str(IncidentState.OPEN))
        .order_by(IncidentEventRow.at)
    )
    for incident, at in again:
        if incident in found and at > found[incident][0]:
            found[incident] = (*found[incident], at)
    return found


def _value(result: CheckResult) -> Value:
    measured = result.measurement
    return Value(value=measured.value, lower=measured.lower, upper=measured.upper)


def _quality(result: CheckResult) -> QualityFinding:
    return QualityFinding(
        column=result.measurement.column,
        check=result.check,
        status=result.status,
        detail=result.reason,
    )
