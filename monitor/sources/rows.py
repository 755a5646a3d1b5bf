"""One table of a model's predictions, mapped to the prediction log and profiled tile by tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Self

import duckdb
import pyarrow as pa

from monitor.profiles.bins import PREDICTED, SCORE, ProfileBins
from monitor.profiles.connection import Connection, Source, instant
from monitor.profiles.model import Profile
from monitor.profiles.outcome_counts import TRUTH
from monitor.profiles.query import EPOCH, MICROSECOND, profile_rows
from monitor.reference import Reference, reference_of
from monitor.sources.expressions import (
    binary_class,
    class_text,
    empty,
    feature,
    moment,
    number,
    within,
)
from monitor.sources.pieces import Piece, pieces_of_reference
from monitor.sql import identifier, read_error, select
from monitor.tables import Table, Tables
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import ColumnKind, FeatureSchema, Task

#: Pieces that one query profiles; it bounds what the query holds in memory.
PIECES_PER_QUERY = 1024
#: Decision threshold of a binary model that gives no class of its own.
_CUT = 0.5
_FLOAT, _TEXT, _TIME = pa.float64(), pa.string(), pa.timestamp("us", tz="UTC")
_ARROW = {ColumnKind.NUMERICAL: _FLOAT, ColumnKind.DATETIME: _TIME}
_KNOWN_AT, _KNOWN_UNTIL, _LABEL = "known_at", "known_until", "label"
_VIEWS = count()


@dataclass(frozen=True, kw_only=True, slots=True)
class TileCount:
    """What a tile of a table holds.

    Parameters
    ----------
    rows, labels
        Rows, and those of them with a label that was known at the time that was asked for.
    last_known
        When the last label of all became known; None without labels.
    """

    start: datetime
    rows: int
    labels: int
    last_known: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRows:
    """The rows of one table, read by the settings of one model.

    Parameters
    ----------
    schema
        The features and classes, from the reference.
    """

    tables: Tables
    table: Table
    settings: ModelSettings
    schema: FeatureSchema

    @property
    def scored(self) -> bool:
        """Whether the model gives probabilities."""
        prediction = self.settings.prediction
        return prediction.score is not None or bool(prediction.scores)

    def tile_counts(self, known_until: datetime | None = None) -> list[TileCount]:
        """Count rows and labels of every tile, in order of time.

        Parameters
        ----------
        known_until
            Labels that become known later are not counted; None counts all.
        """
        known = _LABEL
        if known_until is not None:
            known = f"CASE WHEN {_KNOWN_AT} <= {instant(known_until)} THEN {_LABEL} END"
        tile = self._tile("timestamp")
        time = moment(self.settings.timestamp, self._type(self.settings.timestamp))
        columns = [f"{time} AS timestamp", *self._label_columns()]
        query = select(
            [
                f"{tile} AS tile",
                "count(*) AS row_count",
                f"count({known}) AS labels",
                f"max(CASE WHEN {_LABEL} IS NOT NULL THEN epoch_us({_KNOWN_AT}) END) AS last",
            ],
            f"({select(columns, self.table.source)})",
            "GROUP BY 1 ORDER BY 1",
        )
        return [
            TileCount(
                start=EPOCH + number_ * self.settings.windows.tile,
                rows=rows,
                labels=labels,
                last_known=None if last is None else EPOCH + last * MICROSECOND,
            )
            for number_, rows, labels, last in self.tables.query(self.table, query)
        ]

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
        name = f"reference_{next(_VIEWS)}"
        connection = Connection(self.tables.connection)
        connection.view(name, select(self._columns(), self.table.source))

        tiles = [each.start for each in self.tile_counts()]
        windows = self.settings.windows
        pieces = pieces_of_reference(tiles, windows.size, windows.timezone, known_until)

        def profile(bins: ProfileBins) -> dict[datetime, Profile]:
            found: dict[datetime, Profile] = {}
            for part in self.profiles(bins, pieces):
                found |= part
            return found

        reference = reference_of(
            _Columns(rows=self, view=name),
            profile,
            schema=self.schema,
            settings=self.settings,
            scored=self.scored,
        )
        return replace(reference, end=tiles[-1] + windows.tile)

    def label_lag(self, share: float) -> timedelta | None:
        """Return the time within which a share of all labels became known; None without any."""
        columns = [*self._label_columns(), f"{self._time()} AS timestamp"]
        lag = f"epoch_us({_KNOWN_AT}) - epoch_us(timestamp)"
        query = select(
            [f"quantile_disc({lag}, {share})"],
            f"({select(columns, self.table.source)})",
            f"WHERE {_LABEL} IS NOT NULL",
        )
        found = self.tables.query(self.table, query)[0][0]
        return None if found is None else max(found, 0) * MICROSECOND

    def _profiles_of(self, bins: ProfileBins, pieces: Sequence[Piece]) -> dict[datetime, Profile]:
        tile = self.settings.windows.tile
        connection = Connection(self.tables.connection)
        limits = connection.arrow(_limits(pieces, tile))
        time, last = self.settings.timestamp, max(piece.tiles[-1] for piece in pieces)
        inside = within(time, self._type(time), pieces[0].start, last + tile)
        rows = select(self._columns(), self.table.source, f"WHERE {inside}")
        joined = f"({rows}) AS r JOIN {limits.sql} AS l ON {self._tile('r.timestamp')} = l.tile"
        known = f"({_KNOWN_UNTIL} IS NULL OR {_KNOWN_AT} <= {_KNOWN_UNTIL})"
        features = [identifier(name) for name, _ in self._types()[1:-1]]
        # Rows take the time of their piece, so that the query counts them together.
        columns = ["l.piece AS timestamp", *features]
        columns.append(f"CASE WHEN {known} THEN {_LABEL} END AS {TRUTH}")
        name = f"rows_{next(_VIEWS)}"
        try:
            connection.view(name, select(columns, joined))
            return profile_rows(connection, Source(sql=name, columns=self._types()), bins, tile)
        except duckdb.Error as exc:
            raise read_error(self.table.name, exc) from exc
        finally:
            self.tables.connection.execute(f"DROP VIEW IF EXISTS {name}")
            self.tables.connection.unregister(limits.sql)

    def _columns(self) -> list[str]:
        """Return the log's columns as SQL, with the label and when it became known."""
        prediction, types = self.settings.prediction, self.table.types
        found = {"timestamp": self._time()}
        for column in self.schema.columns:
            name = column.name
            there = name in types
            found[name] = feature(name, types[name], column.kind) if there else empty(column.kind)
        task = self.settings.task
        if task is Task.REGRESSION:
            found[PREDICTED] = number(prediction.value or "", self._type(prediction.value or ""))
        elif task is Task.MULTICLASS:
            found[PREDICTED] = class_text(
                prediction.label or "", self._type(prediction.label or "")
            )
            if prediction.scores:
                scores = [number(n, self._type(n)) for n in prediction.scores.values()]
                found[SCORE] = f"[{', '.join(scores)}]"
        else:
            score = number(prediction.score or "", self._type(prediction.score or ""))
            found[SCORE] = score
            found[PREDICTED] = (
                f"CASE WHEN isnan({score}) THEN NULL ELSE CAST({score} >= {_CUT} AS BIGINT) END"
            )
            if prediction.label is not None:
                coded = binary_class(
                    prediction.label, self._type(prediction.label), self.settings.label.positive
                )
                found[PREDICTED] = f"CAST({coded} AS BIGINT)"
        columns = [f"{sql} AS {identifier(name)}" for name, sql in found.items()]
        return [*columns, *self._label_columns()]

    def _label_columns(self) -> list[str]:
        settings = self.settings
        name, available = settings.label.column, settings.label.available_at
        kind = self._type(name)
        if settings.task is Task.BINARY:
            label = f"CAST({binary_class(name, kind, settings.label.positive)} AS BIGINT)"
        elif settings.task is Task.MULTICLASS:
            label = class_text(name, kind)
        else:
            value = settings.prediction.value or ""
            said = number(value, self._type(value))
            # An error against a prediction that is no number would make every sum no number.
            truth = f"NULLIF({number(name, kind)}, CAST('NaN' AS DOUBLE))"
            label = f"CASE WHEN isfinite({said}) THEN {truth} END"
        microseconds = settings.label.delay // MICROSECOND
        known = f"{self._time()} + to_microseconds({microseconds})"
        if available is not None:
            known = f"COALESCE({moment(available, self._type(available))}, {known})"
        return [f"{label} AS {_LABEL}", f"{known} AS {_KNOWN_AT}"]

    def _types(self) -> tuple[tuple[str, pa.DataType], ...]:
        """Return the log's columns with their types."""
        task = self.settings.task
        features = [(c.name, _ARROW.get(c.kind, _TEXT)) for c in self.schema.columns]
        answer = {Task.BINARY: pa.int64(), Task.REGRESSION: _FLOAT}.get(task, _TEXT)
        score = pa.list_(_FLOAT) if task is Task.MULTICLASS else _FLOAT
        outputs = [(PREDICTED, answer), *([(SCORE, score)] if self.scored else [])]
        return (("timestamp", _TIME), *features, *outputs, (TRUTH, answer))

    def _time(self) -> str:
        return moment(self.settings.timestamp, self._type(self.settings.timestamp))

    def _tile(self, time: str) -> str:
        return (
            f"CAST(floor(epoch_us({time}) / {self.settings.windows.tile // MICROSECOND}) AS BIGINT)"
        )

    def _type(self, name: str) -> str:
        return self.table.types[name]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Columns:
    """The rows of a view, fetched one column at a time."""

    rows: TableRows
    view: str
    name: str = ""

    def select(self, name: str, /) -> Self:
        return replace(self, name=name)

    def to_pyarrow(self) -> pa.Table:
        query = select([identifier(self.name)], self.view)
        try:
            return self.rows.tables.connection.sql(query).to_arrow_table()
        except duckdb.Error as exc:
            raise read_error(self.rows.table.name, exc) from exc


def between(
    tables: Tables,
    table: Table,
    settings: ModelSettings,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Table:
    """Return the part of a table whose times lie in ``[start, end)``."""
    time = settings.timestamp
    inside = within(time, table.types[time], start, end)
    source = f"({select(['*'], table.source, f'WHERE {inside}')})"
    rows = tables.query(table, select(["count(*)"], source))[0][0]
    return replace(table, source=source, rows=int(rows))


def _limits(pieces: Sequence[Piece], tile: timedelta) -> pa.Table:
    """Return for the number of every tile the start of its piece, and until when labels count."""
    rows = [((start - EPOCH) // tile, each) for each in pieces for start in each.tiles]
    return pa.table(
        {
            "tile": pa.array([number_ for number_, _ in rows], pa.int64()),
            "piece": pa.array([each.start for _, each in rows], _TIME),
            _KNOWN_UNTIL: pa.array([each.known_until for _, each in rows], _TIME),
        }
    )
