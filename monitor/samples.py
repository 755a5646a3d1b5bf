"""Bounded samples of rows, always the same ones, for what counts alone cannot tell."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.profiles.bins import PREDICTED, SCORE
from monitor.profiles.connection import Connection, Source, connect, instant
from monitor.profiles.outcome_counts import TRUTH
from monitor.sql import identifier, literal, select
from watchkeeper.lake import Lake
from watchkeeper.window import Window

#: Rows of a sample: enough for a classifier, few enough to store and to fit in seconds.
SIZE = 4_000
_SEED = "watchkeeper"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Some rows of a stretch of time, with features, the model's output and the label.

    Parameters
    ----------
    rows
        The columns of the prediction log and ``y_true``, null where there is no label yet.
    of_rows
        How many rows it was drawn from.
    """

    rows: pa.Table
    of_rows: int

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return len(self.rows) == self.of_rows

    def to_bytes(self) -> bytes:
        """Return the rows as a compressed Parquet file."""
        buffer = io.BytesIO()
        pq.write_table(self.rows, buffer, compression="zstd")
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, of_rows: int) -> Self:
        """Read what ``to_bytes`` wrote."""
        return cls(rows=pq.read_table(io.BytesIO(data)), of_rows=of_rows)


def sample_of_table(table: pa.Table, size: int = SIZE) -> Sample:
    """Draw rows of a table that is in memory; the same table gives the same rows.

    Examples
    --------
    >>> drawn = sample_of_table(pa.table({"x": range(100)}), 10)
    >>> (len(drawn.rows), drawn.of_rows, drawn.whole)
    (10, 100, False)
    """
    n = len(table)
    if n <= size:
        return Sample(rows=table, of_rows=n)
    places = np.sort(np.random.default_rng(n).choice(n, size, replace=False))
    return Sample(rows=table.take(places), of_rows=n)


def sample_of_log(
    lake: Lake,
    model: str,
    version: int,
    window: Window,
    columns: Sequence[str],
    *,
    now: datetime,
    size: int = SIZE,
) -> Sample | None:
    """Draw rows of a window from the prediction log; None when it has none.

    Rows are drawn by a hash of their prediction_id, so that the same rows are drawn whenever and
    wherever it is done; of a repeated prediction the first row counts, and of labels the newest
    that is known by ``now``.

    Parameters
    ----------
    columns
        The features to read; those that a generation of the log lacks are null there.
    """
    parts = []
    with connect() as connection:
        labels = _labels(lake, model, window, now, connection)
        for table in lake.predictions(model):
            files = table.files(_days(window))
            if files:
                source = connection.parquet(files, table.schema)
                rows = _rows(source, version, window, columns)
                parts.append(_draw(connection, rows, labels, size))
    total = sum(count for _, count in parts)
    found = [part for part, count in parts if count]
    if not found:
        return None
    drawn = pa.concat_tables(found, promote_options="permissive").sort_by("place").slice(0, size)
    return Sample(rows=drawn.drop_columns(["place"]), of_rows=total)


def _rows(source: Source, version: int, window: Window, columns: Sequence[str]) -> str:
    """Return SQL for the rows of a window, each prediction once, with their place in the draw."""
    present = {name for name, _ in source.columns}
    wanted = dict.fromkeys([*columns, PREDICTED, SCORE])
    names = [name for name in wanted if name in present]
    within = (
        f"WHERE version = {version} AND timestamp >= {instant(window.start)} "
        f"AND timestamp < {instant(window.end)} QUALIFY row_number() OVER "
        "(PARTITION BY prediction_id ORDER BY predicted_at, sequence, writer) = 1"
    )
    place = f"md5(prediction_id || {literal(_SEED)}) AS place"
    return select(
        ["prediction_id", "timestamp", *map(identifier, names), place], source.sql, within
    )


def _draw(connection: Connection, rows: str, labels: str | None, size: int) -> tuple[pa.Table, int]:
    """Return the drawn rows with their labels, and how many there were."""
    connection.view("rows_of_window", rows)
    (counted,) = connection.rows(select(["count(*) AS n"], "rows_of_window"))
    drawn = connection.table(select(["*"], "rows_of_window", f"ORDER BY place LIMIT {size}"))
    if labels is None:
        return drawn.append_column(TRUTH, pa.nulls(len(drawn))), int(counted["n"])
    joined = f"{connection.arrow(drawn).sql} AS r LEFT JOIN ({labels}) AS l USING (prediction_id)"
    return connection.table(select(["r.*", f"l.{TRUTH}"], joined)), int(counted["n"])


def _labels(
    lake: Lake, model: str, window: Window, now: datetime, connection: Connection
) -> str | None:
    """Return SQL for the newest label of each prediction; None when there is none at all."""
    table = lake.labels(model)
    first = window.start.date() - timedelta(days=1)
    files = table.files([day for day in table.days() if day >= first]) if table else []
    if table is None or not files:
        return None
    newest = (
        f"WHERE labelled_at <= {instant(now)} QUALIFY row_number() OVER (PARTITION BY "
        "prediction_id ORDER BY labelled_at DESC, received_at DESC, sequence DESC) = 1"
    )
    return select(["prediction_id", TRUTH], connection.parquet(files, table.schema).sql, newest)


def _days(window: Window) -> list[date]:
    days = (window.end - timedelta(microseconds=1)).date() - window.start.date()
    return [window.start.date() + timedelta(days=k) for k in range(days.days + 1)]
