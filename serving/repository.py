"""Table of labels that came before their predictions, or whose predictions will never come."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from monitor.upsert import upsert
from watchkeeper.database import Base, UtcDateTime

_IDS_PER_STATEMENT = 500


class UnmatchedLabelRow(Base):
    """One label in the lake without a prediction in the lake."""

    __tablename__ = "unmatched_labels"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    prediction_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")


class UnmatchedLabels:
    """The labels without a prediction that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, model: str, prediction_ids: Collection[str], at: datetime) -> None:
        """Note labels whose predictions are unknown; noting one twice changes its time only."""
        rows = [
            {"model": model, "prediction_id": identifier, "received_at": at}
            for identifier in prediction_ids
        ]
        upsert(self._session, UnmatchedLabelRow, rows)

    def discard(self, model: str, prediction_ids: Collection[str]) -> int:
        """Forget those whose predictions have come, and return how many there were."""
        if not self._session.scalar(
            select(UnmatchedLabelRow.model).where(UnmatchedLabelRow.model == model).limit(1)
        ):
            return 0
        ids = sorted(prediction_ids)
        found = 0
        for start in range(0, len(ids), _IDS_PER_STATEMENT):
            gone = self._session.scalars(
                delete(UnmatchedLabelRow)
                .where(UnmatchedLabelRow.model == model)
                .where(UnmatchedLabelRow.prediction_id.in_(ids[start : start + _IDS_PER_STATEMENT]))
                .returning(UnmatchedLabelRow.prediction_id)
            )
            found += len(gone.all())
        return found

    def counts(self) -> dict[str, int]:
        """Return how many there are of each model that has any."""
        rows = self._session.execute(
            select(UnmatchedLabelRow.model, func.count())
            .group_by(UnmatchedLabelRow.model)
            .order_by(UnmatchedLabelRow.model)
        )
        return {model: number for model, number in rows.all()}  # noqa: C416
