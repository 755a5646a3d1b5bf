"""The embedded DuckDB that profiles are computed in, with bounded memory."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import duckdb
import pyarrow as pa

from monitor.sql import parquet_source

# What it warns of is the price of planning a query once.
warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)

#: Beyond this DuckDB works through temporary files.
MEMORY_LIMIT = "1GB"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Rows that a query may read.

    Parameters
    ----------
    sql
        What stands after FROM.
    columns
        Names and types, in any order.
    """

    sql: str
    columns: tuple[tuple[str, pa.DataType], ...]

    @property
    def schema(self) -> pa.Schema:
        """The columns as an Arrow schema."""
        return pa.schema(list(self.columns))


class Connection:
    """One DuckDB in this process; not to be shared between threads."""

    def __init__(self, duck: duckdb.DuckDBPyConnection) -> None:
        self._duck = duck
        self._names = (f"t{number}" for number in count())

    def parquet(self, files: Sequence[str], schema: pa.Schema) -> Source:
        """Return the rows of Parquet files, with the partition column of their folders."""
        sql = parquet_source(files, hive=True)
        return Source(sql=sql, columns=tuple((field.name, field.type) for field in schema))

    def arrow(self, table: pa.Table) -> Source:
        """Return the rows of a table that is in memory."""
        name = next(self._names)
        self._duck.register(name, table)
        return Source(sql=name, columns=tuple((field.name, field.type) for field in table.schema))

    def view(self, name: str, sql: str) -> None:
        """Give a SELECT a name; the query that had it before loses it."""
        self._duck.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}")

    def copy(self, name: str, sql: str) -> None:
        """Keep the result of a SELECT under a name, in place of what had it before."""
        self._duck.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")

    def drop(self, name: str) -> None:
        """Remove what ``copy`` has kept."""
        self._duck.execute(f"DROP TABLE IF EXISTS {name}")

    def batches(self, sql: str, rows: int) -> pa.RecordBatchReader:
        """Return the result of a query bit by bit; until it is read, nothing else may be asked."""
        return self._duck.sql(sql).to_arrow_reader(rows)

    def table(self, sql: str) -> pa.Table:
        """Return the result of a query."""
        return self._duck.sql(sql).to_arrow_table()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return all rows of a query; a few, for they are copied on the way.

        A query of many aggregates takes longer to plan than to run over an hour's rows, and as a
        relation it would be planned twice.
        """
        found: pa.Table = self._duck.execute(sql).to_arrow_table()
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows


@contextmanager
def connect(threads: int | None = None) -> Iterator[Connection]:
    """Open an empty database in memory, and close it at the end."""
    with tempfile.TemporaryDirectory(prefix="watchkeeper-duckdb-") as spill:
        config: dict[str, Any] = {"memory_limit": MEMORY_LIMIT, "temp_directory": spill}
        if threads is not None:
            config["threads"] = threads
        duck = duckdb.connect(config=config)
        try:
            yield Connection(duck)
        finally:
            duck.close()


def instant(moment: datetime) -> str:
    """Return an instant as it is written in SQL.

    Examples
    --------
    >>> from datetime import UTC
    >>> instant(datetime(2013, 6, 1, tzinfo=UTC))
    "TIMESTAMPTZ '2013-06-01 00:00:00+00:00'"
    """
    return f"TIMESTAMPTZ '{moment.isoformat(sep=' ')}'"
