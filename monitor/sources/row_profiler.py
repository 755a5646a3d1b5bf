"""Brings the profiles of windows up to date that are so many rows of a model's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from monitor.profiles.connection import Connection, instant
from monitor.profiles.days import StoredDays
from monitor.profiles.query import EPOCH, MICROSECOND
from monitor.profiles.tile_rows import tile_rows
from monitor.profiling import Profiled
from monitor.row_profiling import store_window
from monitor.row_windows import Instants, following, parts_of, parts_table
from monitor.sources.counts import tile_counts
from monitor.sources.look import Look
from monitor.sources.mapping import known_at, time_of
from monitor.sources.rows import TableRows
from monitor.sql import identifier, select
from monitor.tables import Table
from monitor.window_store import Windows
from watchkeeper.database import read, write
from watchkeeper.window import Window

#: Columns of the placed table; a table of a stranger hardly has one of that name.
_KNOWN_AT, _OCCURRED = "watchkeeper_known_at", "watchkeeper_occurred"
#: The parts of the windows, as a table.
_PARTS = "watchkeeper_parts"


class RowLook(Look):
    """A look at a table whose windows are so many rows."""

    def run(self) -> Profiled:
        """Cut the windows whose rows are there, and profile them and those that have changed."""
        model = self.rows.settings.model
        with read(self.engine) as session:
            last = Windows(session).newest(model, self.version)
            over = Windows(session).over(model, self.version, self.since or EPOCH, self.now)
            stored = tile_rows(session, model, self.version, since=self.since)
        # Of a window that begins earlier only a part was read.
        known = [each for each in over if self.since is None or each.start >= self.since]
        times = self._times(self.own if last is None else last.end)
        windows = [*known, *following(last, times, self.rows.settings.windows.rows or 1)]
        if not windows:
            return Profiled()
        placed = self._placed(windows)
        changed = [each for each in self._changed(placed, windows, stored) if each.end <= self.now]
        starts = [start for window in changed for start in parts_of(window)]
        profiles = [each for some in self.profiles(placed, starts) for each in some]
        done = Profiled()
        for window in changed:
            with write(self.engine) as session:
                StoredDays(session).lock(model)
                newest = Windows(session).newest(model, self.version)
                if window not in known and newest is not None and newest.end != window.start:
                    return done  # Another worker has cut them.
                mine = [each for each in profiles if each.tile_start in window]
                done += store_window(
                    session, model, self.version, window, profiles=mine, now=self.now
                )
        return done

    def _times(self, start: datetime | None) -> Instants:
        rows, time = self.rows, time_of(self.rows.table, self.rows.settings)
        where = "" if start is None else f"WHERE {time} >= {instant(start)}"
        query = select([f"epoch_us({time}) AS at"], rows.table.source, where)
        found = Connection(rows.tables.connection).table(query)["at"].to_numpy()
        return np.sort(found.astype(np.int64))

    def _placed(self, windows: Sequence[Window]) -> TableRows:
        """Return the rows of windows with the time of their part, and with their own beside it."""
        rows = self.rows
        table, settings = rows.table, rows.settings
        rows.tables.connection.register(_PARTS, parts_table(windows))
        timed = select(
            [
                "*",
                f"{time_of(table, settings)} AS {_OCCURRED}",
                f"{known_at(table, settings)} AS {_KNOWN_AT}",
            ],
            table.source,
        )
        time = identifier(settings.timestamp)
        joined = f"({timed}) AS r ASOF JOIN {_PARTS} AS l ON r.{_OCCURRED} >= l.part"
        query = select(
            [f"r.* REPLACE (l.part AS {time})"], joined, f"WHERE r.{_OCCURRED} < l.until"
        )
        own = {settings.timestamp: "TIMESTAMP WITH TIME ZONE"}
        added = dict.fromkeys((_OCCURRED, _KNOWN_AT), "TIMESTAMP WITH TIME ZONE")
        label = settings.label.model_copy(update={"available_at": _KNOWN_AT, "delay": timedelta(0)})
        in_parts = settings.windows.model_copy(update={"tile": MICROSECOND})
        return replace(
            rows,
            table=Table(
                name=table.name,
                source=f"({query})",
                types=table.types | own | added,
                rows=table.rows,
            ),
            settings=settings.model_copy(update={"label": label, "windows": in_parts}),
            occurred=_OCCURRED,
        )

    def _changed(
        self,
        placed: TableRows,
        windows: Sequence[Window],
        stored: dict[datetime, tuple[int, int]],
    ) -> list[Window]:
        """Return the windows that hold something else than is stored."""
        counts = tile_counts(placed.tables, placed.table, placed.settings, known_until=self.now)
        now = {each.start: (each.rows, each.labels) for each in counts}

        def of(found: dict[datetime, tuple[int, int]], window: Window) -> object:
            return {start: counted for start, counted in found.items() if start in window}

        return [window for window in windows if of(now, window) != of(stored, window)]
