"""Brings the stored profiles of a model up to date whose records are left in a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Engine

from monitor.profiles.days import StoredDays
from monitor.profiles.repository import Profiles
from monitor.profiles.tile_rows import newest_tile, tile_rows
from monitor.profiling import Profiled, touches_of
from monitor.reference import Reference
from monitor.reference_store import References
from monitor.row_windows import lasting
from monitor.samples import Sample
from monitor.sources.checking import check_table
from monitor.sources.counts import between, tile_counts, with_label_delay
from monitor.sources.look import Look
from monitor.sources.row_profiler import RowLook
from monitor.sources.rows import TableRows
from monitor.sources.schema import read_schema, require_columns
from monitor.sources.versions import of_version, versions_in
from monitor.sources.windows import plan_windows, split_reference
from monitor.tables import Table, Tables, table_address
from monitor.window_store import Windows
from watchkeeper.database import read, write
from watchkeeper.errors import InputError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.window import Window, window_at

#: Rows and labels that come later than this after their delay are no longer looked for.
LOOK_BACK = timedelta(days=7)
_LOOK_BACK_WINDOWS = 8
_MEMORY = "1GB"

log = structlog.get_logger(__name__)


def profile_table(
    engine: Engine, settings: ModelSettings, home: Path, now: datetime
) -> tuple[Profiled, ModelSettings]:
    """Profile the tiles of a table that hold other rows or labels than when they were profiled.

    One count of rows and labels by tile says which; it looks back as far as labels take, and to
    the newest tile that is known. The first time it fits the reference.

    Parameters
    ----------
    home
        Where paths start from.

    Returns
    -------
    Profiled, ModelSettings
        What was done, and the settings with the delay of the labels where only the table says it.

    Raises
    ------
    TableError
        The table cannot be read, lacks a column, or holds what it cannot.
    """
    since = _horizon(engine, settings, now)
    done = Profiled()
    with Tables(memory=_MEMORY) as tables:
        address = table_address(settings.source.table, home)
        table = tables.open(address, column=settings.timestamp, start=since)
        require_columns(table, settings, empty=True)
        if table.rows == 0:
            return done, settings
        check_table(tables, table, settings)
        settings = with_label_delay(tables, table, settings)
        table = between(tables, table, settings, start=since, end=now)
        for version in versions_in(tables, table):
            part = of_version(tables, table, version)
            fitting = _Fitting(tables=tables, settings=settings, home=home, now=now)
            reference = fitting.reference(engine, part, version)
            if reference is not None:
                rows = _rows_of(tables, part, settings, reference)
                done += _look(engine, rows, reference, version, since=since, now=now)
    return done, settings


def _look(
    engine: Engine,
    rows: TableRows,
    reference: Reference,
    version: int,
    *,
    since: datetime | None,
    now: datetime,
) -> Profiled:
    # What the reference was fitted on is not judged.
    own = reference.end if rows.settings.reference.table is None else None
    kind = _TileLook if rows.settings.windows.rows is None else RowLook
    look = kind(
        engine=engine,
        rows=rows,
        reference=reference,
        version=version,
        since=since,
        own=own,
        now=now,
    )
    return look.run()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Changes:
    """What is not in a table as it is stored.

    Parameters
    ----------
    tiles
        Tiles that hold something else.
    gone
        Tiles that hold nothing any more.
    days
        Stored days that hold something else.
    """

    tiles: list[datetime]
    gone: set[datetime]
    days: list[Window]


class _TileLook(Look):
    """A look at a table whose windows are stretches of time."""

    def run(self) -> Profiled:
        settings = self.rows.settings
        changes = self._changed()
        gone, divided = changes.gone, changes.days
        found = Profiled()
        parts = self.profiles(self.rows, changes.tiles)
        # What is gone is removed with the first part, and where nothing has changed, by itself.
        for profiles in parts if changes.tiles or not gone else [[]]:
            starts = {profile.tile_start for profile in profiles}
            with write(self.engine) as session:
                StoredDays(session).divide(settings.model, divided, version=self.version)
                stored = Profiles(session).replace(
                    settings.model, [*starts, *gone], profiles, self.now, version=self.version
                )
                Windows(session).touch(settings.model, touches_of(stored, settings))
            gone, divided = set(), []
            found += Profiled(tiles=len(starts), changed=len(stored))
        return found

    def _changed(self) -> _Changes:
        rows, first = self.rows, self._first()
        counts = tile_counts(rows.tables, rows.table, rows.settings, known_until=self.now)
        now = {c.start: (c.rows, c.labels) for c in counts if first is None or c.start >= first}
        with read(self.engine) as session:
            stored = tile_rows(session, rows.settings.model, self.version, since=first)
            days = StoredDays(session).of_version(rows.settings.model, self.version, since=first)
        divided: list[Window] = []
        for day in days:
            inside = {start: counted for start, counted in now.items() if start in day}
            whole = tuple(map(sum, zip(*inside.values(), strict=True)))
            if stored[day.start] == whole:
                now = {start: counted for start, counted in now.items() if start not in day}
                del stored[day.start]
            else:
                divided.append(day)
        return _Changes(
            # Of a day that is no more what it was, each tile is new.
            tiles=[
                start
                for start, counted in now.items()
                if stored.get(start) != counted or any(start in day for day in divided)
            ],
            gone=set(stored) - set(now),
            days=divided,
        )

    def _first(self) -> datetime | None:
        """Return the first tile to look at."""
        bounds = [bound for bound in (self.since, self.own) if bound is not None]
        return max(bounds, default=None)


def _horizon(engine: Engine, settings: ModelSettings, now: datetime) -> datetime | None:
    """Return from when on tiles are looked at; None for all of them."""
    size, zone = settings.windows.size, settings.windows.timezone
    back = settings.label.delay + max(LOOK_BACK, _LOOK_BACK_WINDOWS * size)
    with read(engine) as session:
        newest = newest_tile(session, settings.model)
        if newest is None:
            return None
        since = window_at(min(newest, now - back), size, zone).start
        # Whole windows: a tile is never compared with a part of itself. Those of so many rows may
        # have begun long before.
        return min(since, Windows(session).first(settings.model, over=since) or since)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fitting:
    """Finds the reference of a version, and fits it if it has none."""

    tables: Tables
    settings: ModelSettings
    home: Path
    now: datetime

    def reference(self, engine: Engine, table: Table, version: int) -> Reference | None:
        """Return the reference of a version; None while there are too few rows to fit one."""
        settings = self.settings
        with read(engine) as session:
            known = References(session).find(settings.model, version)
        if known is not None:
            return known
        try:
            chosen = self._chosen(table)
        except InputError as error:
            log.info("no_reference_yet", model=settings.model, why=str(error))
            return None
        schema = read_schema(self.tables, chosen, settings)
        for name, why in schema.left_out.items():
            log.info("column_not_watched", model=settings.model, column=name, why=why)
        rows = TableRows(
            tables=self.tables, table=chosen, settings=settings, schema=schema.features
        )
        fitted = rows.fit_reference(known_until=self.now)
        whole = Window(start=fitted.start, end=fitted.end)
        fitted = replace(fitted, sample=rows.sample(whole, known_until=self.now))
        with write(engine) as session:
            return References(session).add(settings.model, version, fitted, self.now)

    def _chosen(self, table: Table) -> Table:
        settings = self.settings
        if settings.reference.table is not None:
            chosen = self.tables.open(table_address(settings.reference.table, self.home))
            check_table(self.tables, chosen, settings)
            return chosen
        counts = tile_counts(self.tables, table, settings)
        if counts:
            span = counts[-1].start + settings.windows.tile - counts[0].start
            settings = lasting(settings, rows=table.rows, span=span)
        windows = plan_windows(counts, settings)
        mature = [each for each in windows if each.window.end + settings.label.delay <= self.now]
        first, _ = split_reference(mature, settings)
        start, end = first[0].window.start, first[-1].window.end
        return between(self.tables, table, settings, start=start, end=end)


def sample_of_source(
    settings: ModelSettings,
    home: Path,
    reference: Reference,
    version: int,
    window: Window,
    *,
    now: datetime,
) -> Sample | None:
    """Draw rows of a window from a model's table; None when it holds none of that version.

    Raises
    ------
    TableError
        The table cannot be read.
    """
    with Tables(memory=_MEMORY) as tables:
        address = table_address(settings.source.table, home)
        table = tables.open(address, column=settings.timestamp, start=window.start)
        if table.rows == 0:
            return None
        part = of_version(tables, table, version)
        rows = _rows_of(tables, part, settings, reference)
        return rows.sample(window, known_until=now)


def _rows_of(
    tables: Tables, table: Table, settings: ModelSettings, reference: Reference
) -> TableRows:
    """Return the rows with the features that the reference knows, of the kinds that it knows."""
    outputs = {"y_pred", "y_pred_proba"}
    bins = reference.bins
    columns = tuple(
        Column(name=name, kind=ColumnKind(column.kind))
        for name, column in bins.columns.items()
        if name not in outputs
    )
    schema = FeatureSchema(
        columns=columns,
        target=settings.label.column,
        task=Task(settings.task),
        classes=bins.classes,
    )
    return TableRows(tables=tables, table=table, settings=settings, schema=schema)
