"""The embedded DuckDB that profiles are computed in, with bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import ibis
import pyarrow as pa

#: Beyond this DuckDB works through temporary files.
MEMORY_LIMIT = "1GB"


class Connection:
    """One DuckDB in this process; not to be shared between threads."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._names = (f"t{number}" for number in count())

    def parquet(self, files: Sequence[str]) -> ibis.Table:
        """Return the rows of Parquet files, with the partition column of their folders.

        Files of one table may lack columns that were added later; those rows have nulls.
        """
        return self._backend.read_parquet(
            list(files), table_name=next(self._names), hive_partitioning=True, union_by_name=True
        )

    def arrow(self, table: pa.Table) -> ibis.Table:
        """Return the rows of a table that is in memory."""
        name = next(self._names)
        # Ibis's own way of doing this sends a statement that DuckDB 2 cannot parse.
        self._backend.con.register(name, table)
        return self._backend.table(name)


@contextmanager
def connect(threads: int | None = None) -> Iterator[Connection]:
    """Open an empty database in memory, and close it at the end."""
    with tempfile.TemporaryDirectory(prefix="watchkeeper-duckdb-") as spill:
        options: dict[str, Any] = {"memory_limit": MEMORY_LIMIT, "temp_directory": spill}
        if threads is not None:
            options["threads"] = threads
        backend = ibis.duckdb.connect(**options)
        try:
            yield Connection(backend)
        finally:
            backend.disconnect()
