"""Evaluated windows and the metric that decides: newest, trends, timelines, tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    column,
    func,
    literal,
    select,
    values,
)
from sqlalchemy.orm import Session, aliased

from monitor.model import CheckStatus
from monitor.reference_store import ReferenceRow, References
from monitor.repository import MeasurementRow
from monitor.window_store import WindowRow
from reports.model import (
    Paging,
    TimelinePoint,
    TrendPoint,
    WindowBrief,
    WindowsView,
    newest_judged,
)
from reports.model import (
    WindowRow as ShownWindow,
)
from retrain.rows import QuarantinedWindowRow
from watchkeeper.business_value import BUSINESS_VALUE
from watchkeeper.database import UtcDateTime
from watchkeeper.own_metrics import NONE, OwnMetrics
from watchkeeper.window import Window

TREND = 60
_LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)
TIMELINE = 150
FOUND = (str(CheckStatus.WARNING), str(CheckStatus.CRITICAL), str(CheckStatus.FAILED))


@dataclass(frozen=True, kw_only=True, slots=True)
class Newest:
    """What the newest windows of a model say.

    Parameters
    ----------
    judged
        The newest window with a verdict on the metric; else the newest with a value.
    """

    brief: WindowBrief
    judged: TimelinePoint | None
    trend: tuple[TrendPoint, ...]


def newest(
    session: Session, models: Collection[str], metrics: Mapping[str, str]
) -> dict[str, Newest]:
    """Return the newest windows of each model, in one query that reads no more than it returns."""
    if not models:
        return {}
    pairs = [(model, metrics.get(model, "")) for model in models]
    wanted = values(column("model", String), column("metric", String)).data(pairs).cte("wanted")
    earlier = aliased(WindowRow)
    since = (
        select(earlier.window_start)
        .where(earlier.model == wanted.c.model, earlier.evaluated_at.is_not(None))
        .order_by(earlier.window_start.desc())
        .offset(TREND - 1)
        .limit(1)
        .correlate(wanted)
        .scalar_subquery()
    )
    window = WindowRow
    first = literal(_LONG_AGO, UtcDateTime)
    rows = session.execute(
        select(*(getattr(window, name) for name in _WINDOW), *_MEASURED)
        .select_from(wanted)
        .join(
            window,
            and_(
                window.model == wanted.c.model, window.window_start >= func.coalesce(since, first)
            ),
        )
        .outerjoin(MeasurementRow, _of_window(window, wanted.c.metric))
        .where(window.evaluated_at.is_not(None))
    )
    found: dict[str, list[TimelinePoint]] = {}
    for row in rows:
        found.setdefault(row.model, []).append(_to_point(row))
    return {model: _newest(points) for model, points in found.items()}


def timeline(
    session: Session,
    model: str,
    metric: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    own: OwnMetrics = NONE,
) -> tuple[TimelinePoint, ...]:
    """Return the newest windows in ``[start, end)``, oldest first, with limit and reference.

    Parameters
    ----------
    own
        What the metrics of the owner's own are made from.
    """
    rows = session.execute(_points(model, metric, limit=TIMELINE, start=start, end=end)).all()
    levels = _levels(session, model, metric, {row.version for row in rows}, own)
    return tuple(
        _to_point(row, reference=levels.get(row.version))
        for row in sorted(rows, key=lambda row: (row.window_start, row.version))
    )


def windows(
    session: Session, model: str, metric: str | None, *, page: int, size: int
) -> WindowsView:
    """Return one page of a model's evaluated windows, newest first."""
    total = session.scalar(select(func.count()).select_from(WindowRow).where(*_evaluated(model)))
    paging = Paging(number=page, size=size, total=total or 0)
    rows = session.execute(_points(model, metric, limit=size, offset=paging.offset)).all()
    if not rows:
        return WindowsView(metric=metric, rows=(), paging=paging)
    first = min(row.window_start for row in rows)
    last = max(row.window_start for row in rows)
    findings = _findings(session, model, first, last)
    kept_out = _quarantined(session, model, first, last)
    return WindowsView(
        metric=metric,
        rows=tuple(
            _to_shown(
                row,
                findings=findings.get((row.window_start, row.version), 0),
                quarantined=row.window_start in kept_out,
            )
            for row in rows
        ),
        paging=paging,
    )


def window_of(session: Session, model: str, start: datetime | None) -> WindowRow | None:
    """Return the window that starts at ``start``, or the newest one that has rows.

    Of several versions in one window, the newest is meant.
    """
    wanted = select(WindowRow).where(*_evaluated(model))
    if start is None:
        wanted = wanted.where(WindowRow.rows > 0)
    else:
        wanted = wanted.where(WindowRow.window_start == start)
    newest_first = wanted.order_by(WindowRow.window_start.desc(), WindowRow.version.desc())
    return session.scalars(newest_first.limit(1)).one_or_none()


def _evaluated(model: str) -> tuple[ColumnElement[bool], ...]:
    return (WindowRow.model == model, WindowRow.evaluated_at.is_not(None))


def _points(
    model: str,
    metric: str | None,
    *,
    limit: int,
    offset: int = 0,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Select[Any]:
    # The windows first, then one look-up by the whole key for each: a window has a row for each
    # of its columns, and none of those is read.
    wanted = select(WindowRow).where(*_evaluated(model))
    if start is not None:
        wanted = wanted.where(WindowRow.window_start >= start)
    if end is not None:
        wanted = wanted.where(WindowRow.window_start < end)
    window = (
        wanted.order_by(WindowRow.window_start.desc(), WindowRow.version.desc())
        .offset(offset)
        .limit(limit)
        .subquery()
    )
    return (
        select(*(window.c[name] for name in _WINDOW), *_MEASURED)
        .select_from(window.outerjoin(MeasurementRow, _of_window(window.c, literal(metric or ""))))
        .order_by(window.c.window_start.desc(), window.c.version.desc())
    )


def _of_window(window: Any, metric: ColumnElement[str]) -> ColumnElement[bool]:
    row = MeasurementRow
    return and_(
        row.model == window.model,
        row.window_start == window.window_start,
        row.version == window.version,
        row.metric == metric,
        row.column_name == "",
        row.segment == "",
    )


_MEASURED = (
    MeasurementRow.value,
    MeasurementRow.lower,
    MeasurementRow.upper,
    MeasurementRow.status.label("verdict"),
    func.coalesce(MeasurementRow.limit_lower, MeasurementRow.limit_upper).label("metric_limit"),
)
_WINDOW = (
    "model",
    "window_start",
    "window_end",
    "version",
    "rows",
    "labels",
    "labels_mature",
    "status",
    "revision",
    "evaluated_at",
)


def _to_point(row: Any, *, reference: float | None = None) -> TimelinePoint:
    return TimelinePoint(
        window=Window(start=row.window_start, end=row.window_end),
        version=row.version,
        value=row.value,
        status=CheckStatus(row.verdict or CheckStatus.INSUFFICIENT_DATA),
        lower=row.lower,
        upper=row.upper,
        limit=row.metric_limit,
        reference=reference,
        rows=row.rows,
        labels=row.labels,
        mature=row.labels_mature,
        overall=CheckStatus(row.status or CheckStatus.INSUFFICIENT_DATA),
    )


def _to_shown(row: Any, *, findings: int, quarantined: bool) -> ShownWindow:
    return ShownWindow(
        window=Window(start=row.window_start, end=row.window_end),
        version=row.version,
        status=CheckStatus(row.status or CheckStatus.INSUFFICIENT_DATA),
        rows=row.rows,
        labels=row.labels,
        mature=row.labels_mature,
        revision=row.revision,
        evaluated_at=row.evaluated_at,
        value=row.value,
        lower=row.lower,
        upper=row.upper,
        findings=findings,
        quarantined=quarantined,
    )


def _newest(points: list[TimelinePoint]) -> Newest:
    ordered = sorted(points, key=lambda point: (point.window.start, point.version))
    last = ordered[-1]
    return Newest(
        brief=WindowBrief(
            window=last.window, rows=last.rows, labels=last.labels, status=last.overall
        ),
        judged=newest_judged(ordered),
        trend=tuple(
            TrendPoint(at=point.window.start, value=point.value, status=point.status)
            for point in ordered
        ),
    )


def _levels(
    session: Session,
    model: str,
    metric: str,
    versions: Collection[int],
    own: OwnMetrics,
) -> dict[int, float | None]:
    if metric == BUSINESS_VALUE:
        found = {version: References(session).find(model, version) for version in versions}
        return {number: each.level(metric, own) for number, each in found.items() if each}
    rows = session.execute(
        select(ReferenceRow.version, ReferenceRow.performance).where(
            ReferenceRow.model == model, ReferenceRow.version.in_(versions)
        )
    )
    return {version: known.get(metric, {}).get("value") for version, known in rows}


def _findings(
    session: Session, model: str, first: datetime, last: datetime
) -> dict[tuple[datetime, int], int]:
    row = MeasurementRow
    rows = session.execute(
        select(row.window_start, row.version, func.count())
        .where(row.model == model, row.window_start.between(first, last))
        .where(row.status.in_(FOUND))
        .group_by(row.window_start, row.version)
    )
    return {(start, version): count for start, version, count in rows}


def _quarantined(session: Session, model: str, first: datetime, last: datetime) -> set[datetime]:
    row = QuarantinedWindowRow
    return set(
        session.scalars(
            select(row.window_start).where(
                row.model == model, row.window_start.between(first, last)
            )
        )
    )
