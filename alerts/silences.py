"""Silences in the database: make, preview, list and end them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from alerts.model import PRODUCTION
from alerts.repository import SeriesStore, to_series
from alerts.rows import IncidentRow, SeriesRow, SilenceRow
from alerts.series import Series
from alerts.silencing import Silence
from monitor.model import Family
from watchkeeper.errors import ConflictError, NotFoundError

LONGEST = timedelta(days=30)


class Silences:
    """The silences that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, silence: Silence) -> Silence:
        """Store a silence and return it with its number.

        Raises
        ------
        ConflictError
            It has no reason, ends before it starts, or lasts more than 30 days.
        """
        if not silence.reason.strip():
            raise ConflictError("a silence needs a reason")
        if not silence.starts_at < silence.until <= silence.starts_at + LONGEST:
            raise ConflictError(f"a silence ends, and at most {LONGEST.days} days after it starts")
        row = SilenceRow(
            model=silence.model,
            family=None if silence.family is None else str(silence.family),
            column=silence.column,
            reason=silence.reason,
            author=silence.author,
            starts_at=silence.starts_at,
            until=silence.until,
        )
        self._session.add(row)
        self._session.flush()
        return replace(silence, id=row.id)

    def end(self, silence_id: int, *, now: datetime) -> Silence:
        """End a silence now; what it held back is told at the next sweep.

        Raises
        ------
        NotFoundError
            There is no such silence.
        """
        row = self._session.get(SilenceRow, silence_id)
        if row is None:
            raise NotFoundError("silence", str(silence_id))
        row.until = min(row.until, now)
        return _to_silence(row)

    def active(self, now: datetime) -> list[Silence]:
        """Return the silences that hold at an instant, the first to end first."""
        query = (
            select(SilenceRow)
            .where(SilenceRow.starts_at <= now, SilenceRow.until > now)
            .order_by(SilenceRow.until, SilenceRow.id)
        )
        return [_to_silence(row) for row in self._session.scalars(query)]

    def preview(self, silence: Silence) -> list[Series]:
        """Return the series that fire now and that a silence would cover."""
        models = self._session.scalars(select(SeriesRow.model).distinct()).all()
        store = SeriesStore(self._session)
        return [
            series
            for model in sorted(models)
            for series in store.of(model, PRODUCTION).values()
            if series.is_firing and silence.covers(series, silence.starts_at)
        ]

    def last_covered(self, silence: Silence) -> datetime | None:
        """Return when anything that a silence names was last part of an incident, or None."""
        rows = self._session.execute(
            select(SeriesRow, IncidentRow.updated_at)
            .join(IncidentRow, IncidentRow.id == SeriesRow.incident_id)
            .where(IncidentRow.updated_at >= silence.starts_at)
            .order_by(IncidentRow.updated_at.desc())
        )
        covered = (at for row, at in rows if silence.names(to_series(row)))
        return next(covered, None)


def _to_silence(row: SilenceRow) -> Silence:
    return Silence(
        id=row.id,
        model=row.model,
        family=None if row.family is None else Family(row.family),
        column=row.column,
        reason=row.reason,
        author=row.author,
        starts_at=row.starts_at,
        until=row.until,
    )
