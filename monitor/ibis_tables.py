"""Fetch a table of another database through Ibis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import ibis
import pyarrow.parquet as pq
from ibis.common.exceptions import TableNotFound

from watchkeeper.errors import TableError

_ALIASES = frozenset({"postgresql"})
#: Schemes of databases in a file, which come into being when they are opened.
_IN_A_FILE = frozenset({"duckdb", "sqlite"})


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
    if scheme in _IN_A_FILE and not _is_there(address):
        raise TableError("no such file", table=shown)
    *database, table = path.split(".")
    # Each back-end raises errors of its own driver; the border to all of them is here.
    try:
        backend = ibis.connect(address)
        try:
            expression = backend.table(table, database=tuple(database) or None)
            with _batches(backend, _restricted(expression, part), rows_per_batch) as batches:
                _write(batches, target)
        finally:
            backend.disconnect()
    except TableNotFound as exc:
        raise TableError(f"the database has no table {path!r}", table=shown) from exc
    except Exception as exc:
        line = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise TableError(f"cannot be read: {line}", table=shown) from exc


def _is_there(address: str) -> bool:
    parts = urlsplit(address)
    place = unquote(parts.netloc + parts.path)
    return place in {"", ":memory:"} or Path(place).exists()


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


def _batches(backend: Any, table: ibis.Table, rows: int) -> Any:
    """Return a reader of the rows, in batches of so many."""
    if backend.name == "duckdb":
        # Ibis 12 calls what DuckDB 2 has renamed.
        relation = backend.con.sql(str(ibis.to_sql(table, dialect="duckdb")))
        return relation.to_arrow_reader(rows)
    return table.to_pyarrow_batches(chunk_size=rows)


def _write(batches: Any, target: Path) -> None:
    with pq.ParquetWriter(target, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
