"""What surrounds a measured metric: its estimate, the evidence of decay, and the alarm budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from monitor.budget import Budget
from monitor.decay_store import ReferencePastRow
from monitor.decay_watch import METRIC
from monitor.detection.arming import key_of
from monitor.estimate import estimated
from monitor.model import CheckStatus
from monitor.reference_store import ReferenceRow
from monitor.repository import MeasurementRow
from monitor.window_store import WindowRow
from reports.model import BudgetView, EstimatePoint, EvidencePoint, TimelinePoint
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window


def around(
    session: Session, model: str, metric: str, points: Sequence[TimelinePoint]
) -> tuple[tuple[EstimatePoint, ...], tuple[EvidencePoint, ...]]:
    """Return the estimates and the evidence of the windows of a timeline, oldest first."""
    if not points:
        return (), ()
    expected, evidence = aliased(MeasurementRow), aliased(MeasurementRow)
    window = WindowRow
    rows = session.execute(
        select(
            window.window_start,
            window.window_end,
            window.version,
            expected.value,
            expected.lower,
            expected.upper,
            expected.status,
            evidence.effect,
            evidence.status.label("alarm"),
        )
        .outerjoin(expected, _of(expected, estimated(metric)))
        .outerjoin(evidence, _of(evidence, METRIC))
        .where(window.model == model)
        .where(window.window_start.between(points[0].window.start, points[-1].window.start))
        .order_by(window.window_start, window.version)
    ).all()
    return (
        tuple(_estimate(row) for row in rows if row.value is not None),
        tuple(_evidence(row) for row in rows if row.effect is not None),
    )


def budget(session: Session, settings: ModelSettings, version: int | None) -> BudgetView:
    """Return what the alarm budget of a version is worth, as far as it was tried.

    Parameters
    ----------
    version
        None for the newest that has a reference, where none serves.
    """
    name = settings.alarm_budget.sentence
    wanted = (
        select(ReferencePastRow.budget)
        .join(ReferenceRow, ReferenceRow.id == ReferencePastRow.reference_id)
        .where(ReferenceRow.model == settings.model)
        .order_by(ReferenceRow.id.desc())
        .limit(1)
    )
    if version is not None:
        wanted = wanted.where(ReferenceRow.version == version)
    stored = session.scalar(wanted)
    known = None if stored is None else Budget.from_dict(stored)
    if known is None or known.key != key_of(settings):
        return BudgetView(allowed=name, doubt="it was not tried on the reference yet")
    return BudgetView(
        allowed=name,
        sentence=known.sentence if known.at_most is not None else "",
        doubt=known.unverified,
    )


def _of(row: Any, metric: str) -> Any:
    return and_(
        row.model == WindowRow.model,
        row.window_start == WindowRow.window_start,
        row.version == WindowRow.version,
        row.metric == metric,
        row.column_name == "",
        row.segment == "",
    )


def _estimate(row: Any) -> EstimatePoint:
    return EstimatePoint(
        window=Window(start=row.window_start, end=row.window_end),
        version=row.version,
        value=row.value,
        lower=row.lower,
        upper=row.upper,
        trusted=row.status != CheckStatus.INSUFFICIENT_DATA,
    )


def _evidence(row: Any) -> EvidencePoint:
    return EvidencePoint(
        window=Window(start=row.window_start, end=row.window_end),
        version=row.version,
        share=row.effect,
        alarmed=row.alarm == CheckStatus.CRITICAL,
    )
