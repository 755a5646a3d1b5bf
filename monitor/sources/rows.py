"""One table of a model's predictions, read as the prediction log and profiled piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

import duckdb
import pyarrow as pa

from monitor.profiles.bins import ProfileBins
from monitor.profiles.connection import Connection, Source, instant
from monitor.profiles.model import Profile
from monitor.profiles.outcome_counts import TRUTH
from monitor.profiles.own_values import function_of
from monitor.profiles.quality_query import OCCURRED
from monitor.profiles.query import EPOCH, profile_rows
from monitor.reference import Reference, reference_of
from monitor.samples import SIZE, Sample
from monitor.sources.counts import tile_counts
from monitor.sources.expressions import within
from monitor.sources.mapping import (
    KNOWN_AT,
    LABEL,
    TIME,
    is_scored,
    log_columns,
    log_types,
    misread_columns,
    tile_number,
)
from monitor.sources.pieces import Piece, pieces_of_reference
from monitor.sql import identifier, read_error, select
from monitor.tables import Table, Tables
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import FeatureSchema
from watchkeeper.window import Window

#: Pieces that one query profiles; it bounds what the query holds in memory.
PIECES_PER_QUERY = 1024
_KNOWN_UNTIL = "known_until"
#: The same name every time, so that the query over it is made once.
_VIEW = "table_rows"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRows:
    """The rows of one table, read by the settings of one model.

    Parameters
    ----------
    schema
        The features and classes, from the reference.
    occurred
        Column with the time of a row, where that of the settings is the start of its piece.
    """

    tables: Tables
    table: Table
    settings: ModelSettings
    schema: FeatureSchema
    occurred: str | None = None

    def profiles(
        self, bins: ProfileBins, pieces: Sequence[Piece]
    ) -> Iterator[dict[datetime, Profile]]:
        """Profile pieces of time by their start, a bounded number of them at a time."""
        ordered = sorted(pieces, key=lambda piece: piece.start)
        for first in range(0, len(ordered), PIECES_PER_QUERY):
            yield self._profiles_of(bins, ordered[first : first + PIECES_PER_QUERY])

    def fit_reference(self, known_until: datetime | None = None) -> Reference:
        """Fit a reference on all rows of the table.

        Parameters
        ----------
        known_until
            Labels that become known later are left out; None takes all.
        """
        tiles = [each.start for each in tile_counts(self.tables, self.table, self.settings)]
        windows = self.settings.windows
        pieces = pieces_of_reference(tiles, windows.size, windows.timezone, known_until)

        def profile(bins: ProfileBins) -> dict[datetime, Profile]:
            found: dict[datetime, Profile] = {}
            for part in self.profiles(bins, pieces):
                found |= part
            return found

        reference = reference_of(
            _Columns(rows=self),
            profile,
            schema=self.schema,
            settings=self.settings,
            scored=is_scored(self.settings),
        )
        return replace(reference, end=tiles[-1] + windows.tile)

    def sample(self, window: Window, *, known_until: datetime, size: int = SIZE) -> Sample | None:
        """Draw rows of a window by a hash of what they hold; None when it has none.

        Parameters
        ----------
        known_until
            Labels that become known later are null.
        """
        time = self.settings.timestamp
        inside = self.query(within(time, self.table.types[time], window.start, window.end))
        names = [name for name, _ in log_types(self.settings, self.schema)[:-1]]
        known = f"CASE WHEN {KNOWN_AT} <= {instant(known_until)} THEN {LABEL} END AS {TRUTH}"
        drawn = select(
            [*map(identifier, names), known],
            f"({inside}) AS r",
            f"ORDER BY hash(r) LIMIT {size}",
        )
        try:
            rows = self.tables.connection.sql(drawn).to_arrow_table()
        except duckdb.Error as exc:
            raise read_error(self.table.name, exc) from exc
        count = self.tables.query(self.table, select(["count(*)"], f"({inside})"))[0][0]
        return Sample(rows=rows, of_rows=int(count)) if count else None

    def query(self, where: str = "true") -> str:
        """Return the SELECT of the log's columns."""
        columns = log_columns(self.table, self.settings, self.schema)
        if self.occurred is not None:
            columns.append(f"{identifier(self.occurred)} AS {identifier(OCCURRED)}")
        return select(columns, self.table.source, f"WHERE {where}")

    def _profiles_of(self, bins: ProfileBins, pieces: Sequence[Piece]) -> dict[datetime, Profile]:
        tile = self.settings.windows.tile
        connection = Connection(self.tables.connection)
        limits = connection.arrow(_limits(pieces, tile))
        time, last = self.settings.timestamp, max(piece.tiles[-1] for piece in pieces)
        inside = within(time, self.table.types[time], pieces[0].start, last + tile)
        matches = f"{tile_number('r.timestamp', tile)} = l.tile"
        joined = f"({self.query(inside)}) AS r JOIN {limits.sql} AS l ON {matches}"
        known = f"({_KNOWN_UNTIL} IS NULL OR {KNOWN_AT} <= {_KNOWN_UNTIL})"
        types = log_types(self.settings, self.schema)
        # Rows take the time of their piece, so that the query counts them together.
        misread = misread_columns(self.table, self.schema)
        columns = ["l.piece AS timestamp", *(identifier(name) for name, _ in types[1:-1])]
        at = "timestamp" if self.occurred is None else identifier(OCCURRED)
        columns += [f"r.{at} AS {identifier(OCCURRED)}", *map(identifier, misread)]
        types = (*types, (OCCURRED, TIME), *((name, pa.bool_()) for name in misread))
        columns.append(f"CASE WHEN {known} THEN {LABEL} END AS {TRUTH}")
        try:
            connection.view(_VIEW, select(columns, joined))
            source = Source(sql=_VIEW, columns=types)
            function = function_of(bins, self.settings)
            return profile_rows(connection, source, bins, tile, function)
        except duckdb.Error as exc:
            raise read_error(self.table.name, exc) from exc
        finally:
            self.tables.connection.execute(f"DROP VIEW IF EXISTS {_VIEW}")
            self.tables.connection.unregister(limits.sql)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Columns:
    """The rows of a table, fetched one column at a time."""

    rows: TableRows
    name: str = ""

    def select(self, name: str, /) -> Self:
        return replace(self, name=name)

    def to_pyarrow(self) -> pa.Table:
        # The label has a name of its own in the query, for it counts only once it is known.
        column = f"{LABEL} AS {TRUTH}" if self.name == TRUTH else identifier(self.name)
        query = select([column], f"({self.rows.query()})")
        try:
            return self.rows.tables.connection.sql(query).to_arrow_table()
        except duckdb.Error as exc:
            raise read_error(self.rows.table.name, exc) from exc


def _limits(pieces: Sequence[Piece], tile: timedelta) -> pa.Table:
    """Return for the number of every tile the start of its piece, and until when labels count."""
    rows = [((start - EPOCH) // tile, each) for each in pieces for start in each.tiles]
    return pa.table(
        {
            "tile": pa.array([number for number, _ in rows], pa.int64()),
            "piece": pa.array([each.start for _, each in rows], TIME),
            _KNOWN_UNTIL: pa.array([each.known_until for _, each in rows], TIME),
        }
    )
