"""Ask the lake which ids it holds, reading as few days as will do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from watchkeeper.lake import LakeTable

_DAY = timedelta(days=1)
#: Days that are searched first; each further step searches four times as many.
_FIRST_DAYS = 4


def logged_ids(
    tables: Iterable[LakeTable], ids: Collection[str], days: Collection[date]
) -> set[str]:
    """Return those of the ids that are predicted on one of the days, or a day before or after."""
    wanted = {day + step * _DAY for day in days for step in (-1, 0, 1)}
    return _found(ids, [file for table in tables for file in table.files(wanted)])


def known_ids(tables: Sequence[LakeTable], ids: Collection[str], near: date) -> set[str]:
    """Return those of the ids that are predicted on any day; days around ``near`` come first."""
    missing = set(ids)
    days = sorted({day for table in tables for day in table.days()}, key=lambda d: abs(d - near))
    size = _FIRST_DAYS
    while missing and days:
        files = [file for table in tables for file in table.files(set(days[:size]))]
        missing -= _found(missing, files)
        days, size = days[size:], 4 * size
    return set(ids) - missing


def current_labels(
    table: LakeTable | None, labels: pa.Table, *, writer: str, sequence: int
) -> dict[str, Any]:
    """Return the labels that these prediction ids have in the lake around the same days.

    Parameters
    ----------
    labels
        The new labels.
    writer, sequence
        Of the batch that brings them; should its rows be in the lake already, they do not count.
    """
    if table is None:
        return {}
    days = {instant.date() for instant in labels["labelled_at"].to_pylist()}
    files = table.files({day + step * _DAY for day in days for step in (-1, 0, 1)})
    if not files:
        return {}
    with _connection(labels["prediction_id"].to_pylist()) as connection:
        rows = connection.execute(
            """
            SELECT prediction_id,
                   arg_max(y_true, (labelled_at, received_at, sequence))
            FROM read_parquet(?, hive_partitioning = true)
            WHERE prediction_id IN (SELECT id FROM wanted)
              AND NOT (writer = ? AND sequence = ?)
            GROUP BY prediction_id
            """,
            [files, writer, sequence],
        ).fetchall()
    return dict(rows)


def _found(ids: Collection[str], files: Sequence[str]) -> set[str]:
    if not files or not ids:
        return set()
    with _connection(ids) as connection:
        rows = connection.execute(
            "SELECT DISTINCT prediction_id FROM read_parquet(?, hive_partitioning = true)"
            " WHERE prediction_id IN (SELECT id FROM wanted)",
            [list(files)],
        ).fetchall()
    return {identifier for (identifier,) in rows}


@contextmanager
def _connection(ids: Collection[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    # One thread: the process that ships also answers requests.
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("wanted", pa.table({"id": pa.array(list(ids), pa.string())}))
        yield connection
