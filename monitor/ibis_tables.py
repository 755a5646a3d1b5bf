"""Fetch a table of another database through Ibis."""

from __future__ import annotations

from pathlib import Path

import ibis
import pyarrow.parquet as pq

from watchkeeper.errors import TableError

_ALIASES = frozenset({"postgresql"})


def fetch(url: str, scheme: str, target: Path, *, rows_per_batch: int) -> None:
    """Stream the table behind ``url#table`` into a Parquet file.

    Parameters
    ----------
    url
        What ``ibis.connect`` takes, then ``#`` and the table, with its schema where it has one.
    scheme
        The part before ``://``, for the error message.

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
            _write(expression, target, rows_per_batch)
        finally:
            backend.disconnect()
    except Exception as exc:
        line = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise TableError(f"cannot be read: {line}", table=shown) from exc


def _write(table: ibis.Table, target: Path, rows_per_batch: int) -> None:
    with table.to_pyarrow_batches(chunk_size=rows_per_batch) as batches:
        with pq.ParquetWriter(target, batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
