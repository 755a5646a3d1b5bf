"""Tables of evaluated windows, of what was measured in them, and of what was corrected later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    Float,
    Index,
    Integer,
    String,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from monitor.model import CheckResult, CheckStatus, EvaluatedWindow, Family
from monitor.reference_store import ReferenceRow  # noqa: F401  registers its table
from monitor.upsert import upsert
from watchkeeper.database import Base, UtcDateTime
from watchkeeper.window import Window

EVENT = "event time"
#: From bad to good: the status of a window is the first of these that one of its checks has.
_WORST = (
    CheckStatus.FAILED,
    CheckStatus.CRITICAL,
    CheckStatus.WARNING,
    CheckStatus.OK,
    CheckStatus.INSUFFICIENT_DATA,
)


class MeasurementRow(Base):
    """The newest value of one measurement of a window, and the verdict on it."""

    __tablename__ = "measurements"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True, comment=EVENT)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    metric: Mapped[str] = mapped_column(String(100), primary_key=True)
    column_name: Mapped[str] = mapped_column(String(500), primary_key=True)
    segment: Mapped[str] = mapped_column(String(500), primary_key=True)
    window_end: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)
    revision: Mapped[int] = mapped_column(Integer)
    reference_id: Mapped[int | None] = mapped_column(Integer)
    value: Mapped[float | None] = mapped_column(Float)
    p_value: Mapped[float | None] = mapped_column(Float)
    lower: Mapped[float | None] = mapped_column(Float)
    upper: Mapped[float | None] = mapped_column(Float)
    n_reference: Mapped[int] = mapped_column(Integer)
    n_current: Mapped[int] = mapped_column(Integer)
    family: Mapped[str] = mapped_column(String(20))
    check_name: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String)
    effect: Mapped[float | None] = mapped_column(Float)
    threshold_method: Mapped[str] = mapped_column(String(100))
    limit_lower: Mapped[float | None] = mapped_column(Float)
    limit_upper: Mapped[float | None] = mapped_column(Float)
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)


class CorrectionRow(Base):
    """A verdict on a past window that was changed by late rows or labels: what it had been."""

    __tablename__ = "corrections"
    __table_args__ = (Index(None, "model", "window_start"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model: Mapped[str] = mapped_column(String(200))
    window_start: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)
    version: Mapped[int] = mapped_column(Integer)
    metric: Mapped[str] = mapped_column(String(100))
    column_name: Mapped[str] = mapped_column(String(500))
    segment: Mapped[str] = mapped_column(String(500))
    revision: Mapped[int] = mapped_column(Integer)
    old_status: Mapped[str] = mapped_column(String(20))
    new_status: Mapped[str] = mapped_column(String(20))
    old_value: Mapped[float | None] = mapped_column(Float)
    new_value: Mapped[float | None] = mapped_column(Float)
    old_reason: Mapped[str] = mapped_column(String)
    corrected_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)


class Measurements:
    """The measurements that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, model: str, version: int, window: Window) -> list[MeasurementRow]:
        """Return what is stored of a window."""
        return list(
            self._session.scalars(
                select(MeasurementRow)
                .where(MeasurementRow.model == model, MeasurementRow.version == version)
                .where(MeasurementRow.window_start == window.start)
                .order_by(MeasurementRow.metric, MeasurementRow.column_name)
            )
        )

    def corrections(self, model: str, version: int, window: Window) -> list[CorrectionRow]:
        """Return how verdicts on a window were changed, oldest first."""
        return list(
            self._session.scalars(
                select(CorrectionRow)
                .where(CorrectionRow.model == model, CorrectionRow.version == version)
                .where(CorrectionRow.window_start == window.start)
                .order_by(CorrectionRow.id)
            )
        )

    def differ(self, evaluated: EvaluatedWindow) -> bool:
        """Whether any value or verdict of a window is not what is stored."""
        stored = self._stored(evaluated)
        kept = {_key_of(result): result for result in evaluated.results if is_kept(result)}
        if stored.keys() != kept.keys():
            return True
        return any(not _same(stored[key], result) for key, result in kept.items())

    def replace(self, evaluated: EvaluatedWindow, *, first: bool) -> None:
        """Store the results of a window; verdicts that differ from the stored ones are kept.

        Checks of the data contract that found nothing are not stored: there are several for each
        column of each window, and where there is no row there was no finding.
        """
        stored = self._stored(evaluated)
        kept = {_key_of(result): result for result in evaluated.results if is_kept(result)}
        if not first:
            self._correct(evaluated, stored)
        for key in stored.keys() - kept.keys():
            self._session.delete(stored[key])
        self._session.flush()
        rows = [_values(result, evaluated.revision) for result in kept.values()]
        upsert(self._session, MeasurementRow, rows)
        self._session.expire_all()

    def _stored(self, evaluated: EvaluatedWindow) -> dict[tuple[str, str, str], MeasurementRow]:
        rows = self.of(evaluated.model, evaluated.version, evaluated.window)
        return {(row.metric, row.column_name, row.segment): row for row in rows}

    def _correct(
        self, evaluated: EvaluatedWindow, stored: dict[tuple[str, str, str], MeasurementRow]
    ) -> None:
        for result in evaluated.results:
            old = stored.get(_key_of(result))
            status = CheckStatus.OK if old is None else CheckStatus(old.status)
            if status is result.status or (old is None and not is_kept(result)):
                continue
            measurement = result.measurement
            self._session.add(
                CorrectionRow(
                    model=evaluated.model,
                    version=evaluated.version,
                    window_start=evaluated.window.start,
                    metric=measurement.metric,
                    column_name=measurement.column or "",
                    segment=measurement.segment or "",
                    revision=evaluated.revision,
                    old_status=status,
                    new_status=result.status,
                    old_value=None if old is None else old.value,
                    new_value=measurement.value,
                    old_reason="" if old is None else old.reason,
                    corrected_at=evaluated.evaluated_at,
                )
            )


def is_kept(result: CheckResult) -> bool:
    """Whether a result is stored: all but data contract checks that found nothing."""
    bad = {CheckStatus.WARNING, CheckStatus.CRITICAL, CheckStatus.FAILED}
    return result.family is not Family.DATA_CONTRACT or result.status in bad


def worst_status(results: Sequence[CheckResult]) -> CheckStatus:
    """Return the status of a window: the worst of performance and data contract.

    Drift explains; by itself it says nothing of harm.
    """
    decisive = {Family.PERFORMANCE, Family.DATA_CONTRACT, Family.PIPELINE}
    found = {result.status for result in results if result.family in decisive}
    return next((status for status in _WORST if status in found), CheckStatus.INSUFFICIENT_DATA)


def _same(row: MeasurementRow, result: CheckResult) -> bool:
    """Whether a result is the stored one, up to the rounding of sums."""
    old, new = row.value, result.measurement.value
    if row.status != result.status or row.n_current != result.measurement.n_current:
        return False
    if old is None or new is None:
        return old is new
    return math.isclose(old, new, rel_tol=1e-9, abs_tol=1e-12)


def _key_of(result: CheckResult) -> tuple[str, str, str]:
    measurement = result.measurement
    return measurement.metric, measurement.column or "", measurement.segment or ""


def _values(result: CheckResult, revision: int) -> dict[str, object]:
    measurement = result.measurement
    return {
        "model": measurement.model,
        "version": measurement.version,
        "window_start": measurement.window.start,
        "window_end": measurement.window.end,
        "metric": measurement.metric,
        "column_name": measurement.column or "",
        "segment": measurement.segment or "",
        "revision": revision,
        "reference_id": measurement.reference_id,
        "value": measurement.value,
        "p_value": measurement.p_value,
        "lower": measurement.lower,
        "upper": measurement.upper,
        "n_reference": measurement.n_reference,
        "n_current": measurement.n_current,
        "family": str(result.family),
        "check_name": result.check,
        "status": str(result.status),
        "reason": result.reason,
        "effect": result.effect,
        "threshold_method": result.threshold.method,
        "limit_lower": result.threshold.lower,
        "limit_upper": result.threshold.upper,
        "computed_at": measurement.computed_at,
    }
