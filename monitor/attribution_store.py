"""The tables of reference samples and of attributions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from monitor.attribution.model import Attribution
from monitor.samples import Sample
from watchkeeper.database import Base, UtcDateTime
from watchkeeper.window import Window


class ReferenceSampleRow(Base):
    """Some rows of a reference; read only when a loss is to be explained."""

    __tablename__ = "reference_samples"

    reference_id: Mapped[int] = mapped_column(
        ForeignKey("reference_profiles.id", ondelete="CASCADE"), primary_key=True
    )
    of_rows: Mapped[int] = mapped_column(Integer)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class AttributionRow(Base):
    """Where the loss of a window came from, as it was known when it was asked."""

    __tablename__ = "attributions"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    window_start: Mapped[datetime] = mapped_column(
        UtcDateTime, primary_key=True, comment="event time"
    )
    window_end: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")
    revision: Mapped[int] = mapped_column(Integer)
    found: Mapped[dict[str, Any]] = mapped_column(JSON)
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")


class ReferenceSamples:
    """The samples that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, reference_id: int, sample: Sample) -> None:
        """Store the sample of a reference."""
        row = ReferenceSampleRow(
            reference_id=reference_id, of_rows=sample.of_rows, data=sample.to_bytes()
        )
        self._session.add(row)
        self._session.flush()

    def find(self, reference_id: int) -> Sample | None:
        """Return the sample of a reference; None where none was stored."""
        row = self._session.get(ReferenceSampleRow, reference_id)
        return None if row is None else Sample.from_bytes(row.data, row.of_rows)


class Attributions:
    """The attributions that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(
        self,
        model: str,
        version: int,
        window: Window,
        found: Attribution,
        *,
        revision: int,
        at: datetime,
    ) -> None:
        """Store what was found of a window, in the place of what was found of it before."""
        self._session.merge(
            AttributionRow(
                model=model,
                version=version,
                window_start=window.start,
                window_end=window.end,
                revision=revision,
                found=found.to_dict(),
                computed_at=at,
            )
        )
        self._session.flush()

    def find(self, model: str, version: int, window: Window) -> Attribution | None:
        """Return what was found of a window; None where nobody has asked."""
        row = self._session.scalars(
            select(AttributionRow)
            .where(AttributionRow.model == model, AttributionRow.version == version)
            .where(AttributionRow.window_start == window.start)
        ).one_or_none()
        return None if row is None else Attribution.from_dict(row.found)
