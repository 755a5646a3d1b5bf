"""Open what a person names as a table: files, folders, Delta tables, or a table at an Ibis URL.

Everything is read by an embedded, memory-limited DuckDB. Parquet and Delta files are read where
they are; CSV files and tables of other databases are first streamed into a temporary Parquet file,
so that they are parsed and fetched once, with bounded memory.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from monitor.csv_files import csv_query
from monitor.sql import literal, parquet_source, read_error, select
from watchkeeper.errors import TableError

_MEMORY = "256MB"
_URL = re.compile(r"^(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]+)://")
_PARQUET_SUFFIXES = (".parquet", ".pq")
_CSV_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_ROWS_PER_BATCH = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table that can be queried.

    Parameters
    ----------
    name
        As the person wrote it.
    source
        What to write after ``FROM``.
    types
        DuckDB's name of each column's type, in the table's order.
    rows
        Number of rows.
    """

    name: str
    source: str
    types: dict[str, str]
    rows: int


class Tables(AbstractContextManager["Tables"]):
    """A DuckDB connection and the tables opened in it; closing removes what was copied.

    Examples
    --------
    >>> with Tables() as tables:
    ...     tables.open("no-such-file.parquet")
    Traceback (most recent call last):
        ...
    watchkeeper.errors.TableError: no-such-file.parquet: no such file
    """

    def __init__(self, *, memory: str = _MEMORY, threads: int | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="watchkeeper-")
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "temp_directory": self._folder.name,
        }
        if threads is not None:
            settings["threads"] = threads
        self.connection = duckdb.connect(config=settings)
        self.connection.execute("SET TimeZone = 'UTC'")
        # It reads a whole row group ahead in each thread, whatever memory there is.
        self.connection.execute("SET disable_parquet_prefetching = true")
        self._copies = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.connection.close()
        self._folder.cleanup()

    def open(
        self,
        name: str,
        *,
        column: str = "",
        start: datetime | None = None,
        limit: int | None = None,
    ) -> Table:
        """Open a table by path, glob, folder, or Ibis URL with ``#table``.

        Parameters
        ----------
        column, start
            Of another database, only rows from this time on are fetched; where the column is no
            time, and of files, there are all.
        limit
            Of another database, at most so many rows are fetched.

        Raises
        ------
        TableError
            It does not exist, is damaged, has no columns, or cannot be reached.
        """
        url = _URL.match(name)
        if url and url["scheme"] != "file":
            # The part between is left out of every message, for it may hold a password.
            shown = f"{url['scheme']}://…#{name.partition('#')[2]}"
            fetched = self._fetched(name, url["scheme"], column, start, limit)
            return self._described(shown, fetched)
        path = name.removeprefix("file://")
        return self._described(name, self._files(name, path))

    def copy(self, name: str, query: str) -> Table:
        """Keep the result of a query as a table of that name, for as long as this is open.

        Raises
        ------
        TableError
            What it reads is damaged.
        """
        return self._described(name, self._copied(name, query))

    def query(self, table: Table, sql: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query on one table.

        Raises
        ------
        TableError
            The table's data is damaged.
        """
        return self.rows(table.name, sql)

    def rows(self, name: str, sql: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query, naming ``name`` in errors."""
        try:
            return self.connection.sql(sql).fetchall()
        except duckdb.Error as exc:
            raise read_error(name, exc) from exc

    def _described(self, name: str, source: str) -> Table:
        described = self.rows(name, "DESCRIBE " + select(["*"], source))
        types = {str(row[0]): str(row[1]) for row in described}
        if not types:
            raise TableError("the table has no columns", table=name)
        count = self.rows(name, select(["count(*)"], source))[0][0]
        return Table(name=name, source=source, types=types, rows=int(count))

    def _files(self, name: str, path: str) -> str:
        folder = Path(path)
        if folder.is_dir():
            if (folder / "_delta_log").is_dir():
                return parquet_source(_delta_files(name, path), hive=True)
            parquet = _below(folder, _PARQUET_SUFFIXES)
            files = parquet or _below(folder, _CSV_SUFFIXES)
            if not files:
                raise TableError("the folder holds no Parquet, CSV or Delta data", table=name)
            hive = bool(parquet)
        else:
            files = [path] if folder.is_file() else _matching(path)
            hive = False
        if not files:
            raise TableError("no such file", table=name)
        if all(_is_csv(file) for file in files):
            return self._copied(name, csv_query(self.connection, files, name=name))
        return parquet_source(files, hive=hive)

    def _copied(self, name: str, query: str) -> str:
        target = self._next_copy()
        try:
            self.connection.execute(f"COPY ({query}) TO {literal(target)} (FORMAT parquet)")
        except duckdb.Error as exc:
            raise read_error(name, exc) from exc
        return parquet_source([target], hive=False)

    def _fetched(
        self, name: str, scheme: str, column: str, start: datetime | None, limit: int | None
    ) -> str:
        # Ibis and its back-ends are slow to import, and most tables are files.
        from monitor.ibis_tables import Part, fetch  # noqa: PLC0415

        target = self._next_copy()
        part = Part(column=column, start=start, limit=limit)
        fetch(name, scheme, Path(target), rows_per_batch=_ROWS_PER_BATCH, part=part)
        return parquet_source([target], hive=False)

    def _next_copy(self) -> str:
        self._copies += 1
        return str(Path(self._folder.name) / f"{self._copies}.parquet")


def table_address(name: str, home: Path) -> str:
    """Return a table's address with its path counted from ``home``.

    Examples
    --------
    >>> table_address("log/*.parquet", Path("/srv")), table_address("duckdb://a.db#t", Path("/srv"))
    ('/srv/log/*.parquet', 'duckdb://a.db#t')
    """
    if _URL.match(name):
        return name
    return str(home / name)


def _below(folder: Path, suffixes: Sequence[str]) -> list[str]:
    return sorted(
        str(path)
        for path in folder.rglob("*")
        if path.name.lower().endswith(tuple(suffixes)) and path.is_file()
    )


def _matching(pattern: str) -> list[str]:
    path = Path(pattern)
    relative = path.relative_to(path.anchor)
    return sorted(map(str, Path(path.anchor).glob(str(relative)))) if path.name else []


def _is_csv(file: str) -> bool:
    return file.lower().endswith(_CSV_SUFFIXES)


def _delta_files(name: str, path: str) -> list[str]:
    # Only Delta tables need delta-rs.
    from deltalake import DeltaTable  # noqa: PLC0415
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    try:
        files = DeltaTable(path).file_uris()
    except DeltaError as exc:
        raise TableError(f"not a readable Delta table: {_first_line(exc)}", table=name) from exc
    if not files:
        raise TableError("the Delta table holds no data", table=name)
    return [file.removeprefix("file://") for file in files]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
