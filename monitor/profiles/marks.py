"""The hours and label batches of a model that wait to be profiled."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import BigInteger, Index, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from monitor.upsert import upsert
from watchkeeper.clock import aware
from watchkeeper.database import Base, UtcDateTime

#: Bits of a mark's token; a token is never used twice, so that an old one cannot clear a new mark.
_TOKEN_BITS = 62
_IDS_PER_STATEMENT = 500


class DirtyTileRow(Base):
    """An hour of event time in which rows or labels of a model have changed."""

    __tablename__ = "dirty_tiles"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    tile_start: Mapped[datetime] = mapped_column(
        UtcDateTime, primary_key=True, comment="event time"
    )
    token: Mapped[int] = mapped_column(BigInteger, unique=True)
    marked_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")


class NewLabelsRow(Base):
    """One shipped batch of labels whose predictions have not been looked up yet."""

    __tablename__ = "new_labels"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    writer: Mapped[str] = mapped_column(String(200), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    first_day: Mapped[date]
    last_day: Mapped[date]
    seen_until: Mapped[datetime | None] = mapped_column(UtcDateTime, comment="event time")
    marked_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")

    __table_args__ = (Index(None, "model", "marked_at"),)


@dataclass(frozen=True, kw_only=True, slots=True)
class DirtyTile:
    """A marked hour, with the token of the mark that was read."""

    model: str
    tile_start: datetime
    token: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NewLabels:
    """A shipped batch of labels: the rows with this writer and sequence in these days.

    Labels up to ``seen_until`` have been looked up already; the rest lay in the future then.
    """

    model: str
    writer: str
    sequence: int
    first_day: date
    last_day: date
    seen_until: datetime | None = None


class DirtyTiles:
    """The hours and label batches that one session sees as waiting; the caller commits.

    Hours are UTC hours whatever the size of a model's tiles, so that whoever writes rows need not
    know how they are monitored. A mark must be written after the rows are in the lake.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def mark(self, model: str, tile_starts: Iterable[datetime], at: datetime) -> None:
        """Mark the hours that hold these instants; a second mark replaces the first.

        Parameters
        ----------
        tile_starts
            Event times of the changed rows, in any order and number; each counts for its hour.
        at
            Event time of the mark.
        """
        hours = {aware(t).replace(minute=0, second=0, microsecond=0) for t in tile_starts}
        upsert(
            self._session,
            DirtyTileRow,
            [
                {
                    "model": model,
                    "tile_start": hour,
                    "token": secrets.randbits(_TOKEN_BITS),
                    "marked_at": at,
                }
                for hour in hours
            ],
        )

    def take(self, model: str, limit: int = 1000) -> list[DirtyTile]:
        """Return up to ``limit`` marked hours, oldest first; they stay marked until cleared."""
        rows = self._session.scalars(
            select(DirtyTileRow)
            .where(DirtyTileRow.model == model)
            .order_by(DirtyTileRow.tile_start)
            .limit(limit)
        )
        return [DirtyTile(model=r.model, tile_start=r.tile_start, token=r.token) for r in rows]

    def clear(self, tiles: Iterable[DirtyTile]) -> set[datetime]:
        """Remove the marks that were read, and return the hours that were really cleared.

        An hour that was marked again since, or that another worker has cleared, is not returned:
        what was computed for it may be older than what is there, and must be thrown away.
        """
        cleared: set[datetime] = set()
        tokens = [tile.token for tile in tiles]
        for start in range(0, len(tokens), _IDS_PER_STATEMENT):
            chosen = DirtyTileRow.token.in_(tokens[start : start + _IDS_PER_STATEMENT])
            # Locked in one order by everybody, so that two workers cannot block each other.
            held = select(DirtyTileRow.tile_start).where(chosen).order_by(DirtyTileRow.tile_start)
            cleared.update(self._session.scalars(held.with_for_update()))
            self._session.execute(delete(DirtyTileRow).where(chosen))
        return cleared

    def models(self) -> list[str]:
        """Return the models that have anything waiting, by name."""
        hours = select(DirtyTileRow.model)
        return sorted(set(self._session.scalars(hours.union(select(NewLabelsRow.model)))))

    def mark_labels(
        self, model: str, *, writer: str, sequence: int, days: Collection[date], at: datetime
    ) -> None:
        """Note a shipped batch of labels; the hours of their predictions are looked up later.

        Parameters
        ----------
        writer, sequence
            As in the rows of the batch.
        days
            UTC days of ``labelled_at`` in the batch; at least one.
        """
        row = {
            "model": model,
            "writer": writer,
            "sequence": sequence,
            "first_day": min(days),
            "last_day": max(days),
            "seen_until": None,
            "marked_at": at,
        }
        upsert(self._session, NewLabelsRow, [row])

    def take_labels(self, model: str, limit: int = 500) -> list[NewLabels]:
        """Return up to ``limit`` noted label batches, oldest first."""
        rows = self._session.scalars(
            select(NewLabelsRow)
            .where(NewLabelsRow.model == model)
            .order_by(NewLabelsRow.marked_at, NewLabelsRow.writer, NewLabelsRow.sequence)
            .limit(limit)
        )
        return [
            NewLabels(
                model=r.model,
                writer=r.writer,
                sequence=r.sequence,
                first_day=r.first_day,
                last_day=r.last_day,
                seen_until=r.seen_until,
            )
            for r in rows
        ]

    def keep_labels(self, batches: Iterable[NewLabels], *, seen_until: datetime) -> None:
        """Note how far label batches were looked up that reach into the future."""
        for batch in batches:
            self._session.execute(
                update(NewLabelsRow)
                .where(NewLabelsRow.model == batch.model)
                .where(NewLabelsRow.writer == batch.writer)
                .where(NewLabelsRow.sequence == batch.sequence)
                .values(seen_until=seen_until)
            )

    def clear_labels(self, batches: Iterable[NewLabels]) -> None:
        """Forget label batches; call it in the transaction that marks their hours."""
        for batch in batches:
            self._session.execute(
                delete(NewLabelsRow)
                .where(NewLabelsRow.model == batch.model)
                .where(NewLabelsRow.writer == batch.writer)
                .where(NewLabelsRow.sequence == batch.sequence)
            )


def hours_between(start: datetime, end: datetime) -> list[datetime]:
    """Return the UTC hours that overlap ``[start, end)``.

    Examples
    --------
    >>> noon = datetime(2013, 6, 1, 12, 30, tzinfo=UTC)
    >>> [hour.hour for hour in hours_between(noon, noon.replace(hour=14))]
    [12, 13, 14]
    """
    hour = aware(start).replace(minute=0, second=0, microsecond=0)
    hours = []
    while hour < end:
        hours.append(hour)
        hour = datetime.fromtimestamp(hour.timestamp() + 3600, UTC)
    return hours
