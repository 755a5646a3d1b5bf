"""Profile what changed in the lake: find the tiles of new rows and labels, and count them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Self

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from monitor.profiles.connection import Connection, Source, connect
from monitor.profiles.days import StoredDays
from monitor.profiles.label_lookup import LabelLookup
from monitor.profiles.marks import DirtyTile, DirtyTiles, hours_between
from monitor.profiles.own_values import function_of
from monitor.profiles.query import HOUR, Log, profile_tiles, tile_of, versions_in
from monitor.profiles.repository import Change, Profiles, StoredProfile
from monitor.reference import Reference
from monitor.reference_store import References
from monitor.window_store import Touch, Windows
from watchkeeper.database import read, write
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import window_at

if TYPE_CHECKING:
    from types import TracebackType

DAY = timedelta(days=1)
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
        first, last = min(b.first_day for b in batches), max(b.last_day for b in batches)
        files = table.files(_days(first, last))
        if not files:
            return 0
        labels = self._connection.parquet(files, table.schema)
        lookup = LabelLookup(self._connection, labels, batches, self._now)
        # Most predictions lie near their labels; everything else is only read if need be.
        near = _days(first - self._settings.label.delay - _LABEL_SLACK, last + DAY)
        hours: set[datetime] = set()
        tables = self._lake.predictions(self._model)
        for days in (near, {day for each in tables for day in each.days()} - near):
            for each in tables:
                places = [] if lookup.done else each.files(days)
                if places:
                    hours |= lookup.hours_in(self._connection.parquet(places, each.schema))
        later = lookup.in_the_future()
        kept = [batch for batch in batches if (batch.writer, batch.sequence) in later]
        with write(self._engine) as session:
            marks = DirtyTiles(session)
            marks.mark(self._model, hours, self._now)
            marks.keep_labels(kept, seen_until=self._now)
            marks.clear_labels(batch for batch in batches if batch not in kept)
        return len(hours)

    def profile_batch(self) -> Profiled | None:
        """Profile the oldest marked hours; None when nothing is marked."""
        with write(self._engine) as session:
            taken = self._take(session)
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
            Windows(session).touch(self._model, touches_of(changes, self._settings))
        return Profiled(tiles=len(current), changed=len(changes))

    def _take(self, session: Session) -> list[DirtyTile]:
        """Read marks; of a tile that is longer than an hour, and of a stored day, all hours.

        Otherwise two workers could each hold a part of one tile, and the slower one would
        overwrite what the other has seen; and a late row would be counted beside its day.
        """
        marks, days = DirtyTiles(session), StoredDays(session)
        days.lock(self._model)
        tile = self._settings.windows.tile
        taken = marks.take(self._model, BATCH_HOURS)
        hours = {mark.tile_start for mark in taken}
        divided = days.divide(self._model, days.holding(self._model, hours))
        needed = set(divided)
        if tile > HOUR:
            starts = {tile_of(hour, tile) for hour in hours}
            needed |= {hour for start in starts for hour in hours_between(start, start + tile)}
        if not needed - hours:
            return taken
        marks.mark(self._model, needed - hours, self._now)
        # What others have marked meanwhile may belong to a day that is not divided.
        known = hours | needed
        again = marks.take(self._model, BATCH_HOURS)
        return [mark for mark in again if mark.tile_start in known]

    def _compute(self, tiles: Collection[datetime]) -> list[StoredProfile]:
        found: list[StoredProfile] = []
        for rows in self._logs({start.date() for start in tiles}):
            found.extend(self._profiles_of(rows, tiles))
        return found

    def _logs(self, days: Collection[date]) -> Iterator[Log]:
        """Yield what the tables of the log hold of some days, with its labels."""
        for table in self._lake.predictions(self._model):
            files = table.files(days)
            if files:
                yield Log(
                    predictions=self._connection.parquet(files, table.schema),
                    labels=self._labels_since(min(days) - _LABEL_SLACK),
                )

    def _profiles_of(self, rows: Log, tiles: Collection[datetime]) -> Iterator[StoredProfile]:
        tile = self._settings.windows.tile
        for version in versions_in(self._connection, rows, tiles, tile):
            reference = self._reference(version)
            if reference is None:
                log.warning("no_reference", model=self._model, version=version)
                continue
            profiles = profile_tiles(
                self._connection,
                rows,
                reference.bins,
                version=version,
                tiles=tiles,
                tile=tile,
                now=self._now,
                function=function_of(reference.bins, self._settings),
            )
            for start, profile in profiles.items():
                yield StoredProfile.of(self._model, version, start, profile)

    def _labels_since(self, first: date) -> Source | None:
        table = self._lake.labels(self._model)
        if table is None:
            return None
        files = table.files([day for day in table.days() if day >= first])
        return self._connection.parquet(files, table.schema) if files else None

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


def touches_of(changes: Collection[Change], settings: ModelSettings) -> list[Touch]:
    """Return the windows that changed profiles belong to."""
    size, zone = settings.windows.size, settings.windows.timezone
    found: dict[tuple[int, datetime], Touch] = {}
    for change in changes:
        window = window_at(change.tile_start, size, zone)
        key = (change.version, window.start)
        in_rows = change.in_rows or (key in found and found[key].in_rows)
        found[key] = Touch(version=change.version, window=window, in_rows=in_rows)
    return list(found.values())


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
