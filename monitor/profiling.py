"""Profile what changed in the lake: find the tiles of new rows and labels, and count them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Self

import ibis
import pyarrow as pa
import structlog
from sqlalchemy import Engine

from monitor.profiles.connection import Connection, connect
from monitor.profiles.query import Log, hours_of_labels, profile_tiles, tile_of, versions_in
from monitor.profiles.repository import (
    Change,
    DirtyTile,
    DirtyTiles,
    NewLabels,
    Profiles,
    StoredProfile,
    hours_between,
)
from monitor.reference import Reference
from monitor.reference_store import References
from monitor.repository import Touch, Windows
from watchkeeper.database import read, write
from watchkeeper.lake import Lake, LakeTable
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import window_at

if TYPE_CHECKING:
    from types import TracebackType

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
#: Marked hours that one batch takes on: about a month.
BATCH_HOURS = 744
#: Beyond its delay, how long before its label a prediction is looked for first.
_LABEL_SLACK = timedelta(days=7)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Profiled:
    """What one pass did: tiles computed, and stored profiles that are not what they were."""

    tiles: int = 0
    changed: int = 0

    def __add__(self, other: Profiled) -> Profiled:
        return Profiled(tiles=self.tiles + other.tiles, changed=self.changed + other.changed)


class Profiler:
    """Brings the stored profiles of one model up to date.

    Safe to be killed at any point, and to run in several processes at once: marks are read before
    the lake is opened and cleared with the profiles' transaction, and only where nobody has
    renewed them since.
    """

    def __init__(self, engine: Engine, lake: Lake, settings: ModelSettings, now: datetime) -> None:
        self._engine = engine
        self._lake = lake
        self._settings = settings
        self._model = settings.model
        self._now = now
        self._stack = ExitStack()
        self._opened: Connection | None = None
        self._references: dict[int, Reference | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def look_up_labels(self) -> int:
        """Mark the hours of the predictions that new labels belong to; return how many."""
        with read(self._engine) as session:
            batches = DirtyTiles(session).take_labels(self._model)
        table = self._lake.labels(self._model) if batches else None
        if table is None:
            return 0
        labels = self._labels_of(table, batches)
        due = labels.filter(labels.labelled_at <= self._now)
        later = labels.filter(labels.labelled_at > self._now).select("writer", "sequence")
        waiting = {tuple(row.values()) for row in later.distinct().to_pyarrow().to_pylist()}
        hours = self._hours_of(due, batches)
        kept = [batch for batch in batches if (batch.writer, batch.sequence) in waiting]
        with write(self._engine) as session:
            marks = DirtyTiles(session)
            marks.mark(self._model, hours, self._now)
            marks.keep_labels(kept, seen_until=self._now)
            marks.clear_labels(batch for batch in batches if batch not in kept)
        return len(hours)

    def profile_batch(self) -> Profiled | None:
        """Profile the oldest marked hours; None when nothing is marked."""
        with write(self._engine) as session:
            taken = self._take(DirtyTiles(session))
        if not taken:
            return None
        tile = self._settings.windows.tile
        hours = {mark.tile_start for mark in taken}
        tiles = sorted(
            {
                start
                for hour in hours
                for start in tiles_of_hour(hour, tile)
                if _covered(start, tile, hours)
            }
        )
        profiles = self._compute(tiles)
        with write(self._engine) as session:
            cleared = DirtyTiles(session).clear(taken)
            current = [start for start in tiles if _covered(start, tile, cleared)]
            kept = [profile for profile in profiles if profile.tile_start in set(current)]
            changes = Profiles(session).replace(self._model, current, kept, self._now)
            Windows(session).touch(self._model, self._touches(changes))
        return Profiled(tiles=len(current), changed=len(changes))

    def _take(self, marks: DirtyTiles) -> list[DirtyTile]:
        """Read marks; where a tile is longer than an hour, all its hours are marked together.

        Otherwise two workers could each hold a part of one tile, and the slower one would
        overwrite what the other has seen.
        """
        tile = self._settings.windows.tile
        taken = marks.take(self._model, BATCH_HOURS)
        if tile <= HOUR or not taken:
            return taken
        starts = {tile_of(mark.tile_start, tile) for mark in taken}
        needed = {hour for start in starts for hour in hours_between(start, start + tile)}
        missing = needed - {mark.tile_start for mark in taken}
        if missing:
            marks.mark(self._model, missing, self._now)
        return marks.take(self._model, BATCH_HOURS)

    def _compute(self, tiles: Collection[datetime]) -> list[StoredProfile]:
        days = {start.date() for start in tiles}
        found: list[StoredProfile] = []
        for table in self._lake.predictions(self._model):
            files = table.files(days)
            if files:
                log_of_days = Log(
                    predictions=self._connection.parquet(files),
                    labels=self._labels_since(min(days) - _LABEL_SLACK),
                )
                found.extend(self._profiles_of(log_of_days, tiles))
        return found

    def _profiles_of(self, rows: Log, tiles: Collection[datetime]) -> Iterator[StoredProfile]:
        tile = self._settings.windows.tile
        for version in versions_in(rows, tiles, tile):
            reference = self._reference(version)
            if reference is None:
                log.warning("no_reference", model=self._model, version=version)
                continue
            profiles = profile_tiles(
                rows, reference.bins, version=version, tiles=tiles, tile=tile, now=self._now
            )
            for start, profile in profiles.items():
                yield StoredProfile(
                    model=self._model,
                    version=version,
                    tile_start=start,
                    rows=profile.rows,
                    labels=profile.labels,
                    data=profile.to_bytes(),
                )

    def _touches(self, changes: Collection[Change]) -> list[Touch]:
        size, zone = self._settings.windows.size, self._settings.windows.timezone
        found: dict[tuple[int, datetime], Touch] = {}
        for change in changes:
            window = window_at(change.tile_start, size, zone)
            key = (change.version, window.start)
            in_rows = change.in_rows or (key in found and found[key].in_rows)
            found[key] = Touch(version=change.version, window=window, in_rows=in_rows)
        return list(found.values())

    def _labels_of(self, table: LakeTable, batches: Collection[NewLabels]) -> ibis.Table:
        """Return the rows of label batches that have not been looked up yet."""
        first, last = min(b.first_day for b in batches), max(b.last_day for b in batches)
        files = table.files(_days(first, last))
        keys = pa.table(
            {
                "writer": [batch.writer for batch in batches],
                "sequence": [batch.sequence for batch in batches],
                "seen_until": pa.array(
                    [batch.seen_until for batch in batches], pa.timestamp("us", tz="UTC")
                ),
            }
        )
        if not files:
            return self._connection.arrow(_NO_LABELS)
        labels = self._connection.parquet(files)
        labels = labels.inner_join(self._connection.arrow(keys), ["writer", "sequence"])
        return labels.filter(
            labels.seen_until.isnull() | (labels.labelled_at > labels.seen_until)
        ).select(*_NO_LABELS.column_names)

    def _hours_of(self, labels: ibis.Table, batches: Collection[NewLabels]) -> list[datetime]:
        """Look for the predictions near their labels first, and only then everywhere else."""
        before = self._settings.label.delay + _LABEL_SLACK
        near = _days(
            min(batch.first_day for batch in batches) - before,
            max(batch.last_day for batch in batches) + DAY,
        )
        tables = self._lake.predictions(self._model)
        hours: set[datetime] = set()
        for days in (near, {day for table in tables for day in table.days()} - near):
            for files in (table.files(days) for table in tables):
                if files:
                    rows = self._connection.parquet(files)
                    hours.update(hours_of_labels(rows, labels))
                    labels = labels.anti_join(rows, "prediction_id")
            if not labels.limit(1).count().execute():
                break
        return sorted(hours)

    def _labels_since(self, first: date) -> ibis.Table | None:
        table = self._lake.labels(self._model)
        files = [] if table is None else table.files([d for d in table.days() if d >= first])
        return self._connection.parquet(files) if files else None

    def _reference(self, version: int) -> Reference | None:
        if version not in self._references:
            with read(self._engine) as session:
                self._references[version] = References(session).find(self._model, version)
        return self._references[version]

    @property
    def _connection(self) -> Connection:
        if self._opened is None:
            self._opened = self._stack.enter_context(connect())
        return self._opened


_NO_LABELS = pa.table(
    {
        "prediction_id": pa.array([], pa.string()),
        "labelled_at": pa.array([], pa.timestamp("us", tz="UTC")),
        "writer": pa.array([], pa.string()),
        "sequence": pa.array([], pa.int64()),
    }
)


def tiles_of_hour(hour: datetime, tile: timedelta) -> list[datetime]:
    """Return the starts of the tiles that overlap a UTC hour.

    Examples
    --------
    >>> from datetime import UTC
    >>> noon = datetime(2013, 6, 1, 12, tzinfo=UTC)
    >>> [start.minute for start in tiles_of_hour(noon, timedelta(minutes=30))]
    [0, 30]
    >>> tiles_of_hour(noon, timedelta(days=1))[0].hour
    0
    """
    if tile >= HOUR:
        return [tile_of(hour, tile)]
    return [hour + k * tile for k in range(HOUR // tile)]


def _covered(start: datetime, tile: timedelta, hours: Collection[datetime]) -> bool:
    return all(hour in hours for hour in hours_between(start, start + tile))


def _days(first: date, last: date) -> set[date]:
    return {first + k * DAY for k in range((last - first).days + 1)}
