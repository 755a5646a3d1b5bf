"""Fetch a table of another database through Ibis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import ibis
import pyarrow.parquet as pq

from watchkeeper.errors import TableError

_ALIASES = frozenset({"postgresql"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Some of the rows of a table.

    Parameters
    ----------
    column, start
        Rows from this time on; all rows where the column is no time.
    limit
        At most so many rows.
    """

    column: str = ""
    start: datetime | None = None
    limit: int | None = None


def fetch(
    url: str, scheme: str, target: Path, *, rows_per_batch: int, part: Part | None = None
) -> None:
    """Stream the table behind ``url#table`` into a Parquet file.

    Parameters
    ----------
    url
        What ``ibis.connect`` takes, then ``#`` and the table, with its schema where it has one.
    scheme
        The part before ``://``, for the error message.
    part
        Which rows to fetch; None for all.

    Raises
    ------
    TableError
        No table is named, Ibis knows no such scheme, or the database refuses.
    """
    address, _, path = url.partition("#")
    shown = f"{scheme}://…#{path}"
    if not path:
        raise TableError("expected '#' and the name of a table at the end", table=f"{scheme}://…")
    if scheme not in {entry.name for entry in ibis.util.backend_entry_points()} | _ALIASES:
        raise TableError(f"no database is known by the scheme {scheme!r}", table=shown)
    *database, table = path.split(".")
    # Each back-end raises errors of its own driver; the border to all of them is here.
    try:
        backend = ibis.connect(address)
        try:
            expression = backend.table(table, database=tuple(database) or None)
            _write(_restricted(expression, part), target, rows_per_batch)
        finally:
            backend.disconnect()
    except Exception as exc:
        line = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise TableError(f"cannot be read: {line}", table=shown) from exc


def _restricted(table: ibis.Table, part: Part | None) -> ibis.Table:
    if part is None:
        return table
    if part.limit is not None:
        table = table.limit(part.limit)
    if part.start is None or part.column not in table.columns:
        return table
    kind = table.schema()[part.column]
    if not kind.is_timestamp():
        return table
    start = part.start if kind.timezone else part.start.replace(tzinfo=None)
    return table.filter(table[part.column] >= ibis.literal(start, type=kind))


def _write(table: ibis.Table, target: Path, rows_per_batch: int) -> None:
    with table.to_pyarrow_batches(chunk_size=rows_per_batch) as batches:
        with pq.ParquetWriter(target, batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
