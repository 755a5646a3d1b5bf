"""The declared segments of a model in its newest judged window."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from monitor.model import CheckStatus
from monitor.repository import MeasurementRow
from reports.model import SegmentRow, SegmentsView, TimelinePoint, TrendPoint
from reports.query.performance import FOUND
from watchkeeper.window import Window

#: Segments on a page, windows behind each, findings of each.
_MOST, _TREND, _MOST_REASONS = 40, 30, 3


def segments(
    session: Session, model: str, metric: str, points: tuple[TimelinePoint, ...]
) -> SegmentsView | None:
    """Return the segments of the newest window that has any; None where none were measured."""
    row = MeasurementRow
    if not points:
        return None
    rows = session.scalars(
        select(row)
        .where(row.model == model, row.segment != "")
        .where(row.window_start >= points[-_TREND:][0].window.start)
        .where(row.window_start <= points[-1].window.start)
        .where(or_(row.metric == metric, row.status.in_(FOUND)))
        .order_by(row.window_start, row.version)
    ).all()
    measured = [each for each in rows if each.metric == metric and not each.column_name]
    # A window whose labels still come in has no verdict, and would hide the one before it.
    judged = [each for each in measured if each.status != CheckStatus.INSUFFICIENT_DATA]
    if not rows:
        return None
    newest = (judged or measured or rows)[-1]
    now = [each for each in rows if each.window_start == newest.window_start]
    found = [_segment(name, metric, now, measured) for name in {each.segment for each in now}]
    found.sort(key=lambda each: (each.status not in FOUND, each.name))
    return SegmentsView(
        metric=metric,
        window=Window(start=newest.window_start, end=newest.window_end),
        rows=tuple(found[:_MOST]),
        hidden=max(0, len(found) - _MOST),
    )


def _segment(
    name: str, metric: str, now: Iterable[MeasurementRow], measured: Iterable[MeasurementRow]
) -> SegmentRow:
    about = [row for row in now if row.segment == name]
    value = next((row for row in about if row.metric == metric and not row.column_name), None)
    bad = [row for row in about if row.status in FOUND]
    status = CheckStatus(bad[0].status if bad else value.status if value else CheckStatus.OK)
    return SegmentRow(
        name=name,
        status=status,
        value=value.value if value else None,
        lower=value.lower if value else None,
        upper=value.upper if value else None,
        limit=_limit(value) if value else None,
        labels=value.n_current if value else 0,
        reasons=tuple(
            f"{row.column_name}: {row.reason}" if row.column_name else row.reason for row in bad
        )[:_MOST_REASONS],
        trend=tuple(
            TrendPoint(at=row.window_start, value=row.value, status=CheckStatus(row.status))
            for row in measured
            if row.segment == name
        ),
    )


def _limit(row: MeasurementRow) -> float | None:
    return row.limit_lower if row.limit_lower is not None else row.limit_upper
