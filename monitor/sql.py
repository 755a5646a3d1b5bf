"""Quoting for DuckDB, and its complaints as errors of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable

import duckdb

from watchkeeper.errors import TableError

_LINE = re.compile(r"CSV Error on Line: (\d+)")
_FILE = re.compile(r"^\s*file = (.+)$", re.MULTILINE)
_FIELDS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")


def literal(text: str) -> str:
    """Return an SQL string.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a quoted SQL name.

    Examples
    --------
    >>> print(identifier('a "b" c'))
    "a ""b"" c"
    """
    return '"' + name.replace('"', '""') + '"'


def parquet_source(files: Iterable[str], *, hive: bool) -> str:
    """Return the ``FROM`` of Parquet files; ``hive``: folders name partition columns.

    Most writers leave NaN out of a file's statistics, and DuckDB takes them at their word unless
    told otherwise: what asks for NaN is then no more than false (duckdb#25521).
    """
    listed = ", ".join(literal(file) for file in files)
    options = ", hive_partitioning = true" if hive else ""
    return f"read_parquet([{listed}], union_by_name = true, can_have_nan = true{options})"


def select(columns: Iterable[str], source: str, *clauses: str) -> str:
    """Return a query; every part must be quoted by the caller.

    Examples
    --------
    >>> select(["a", "b"], "t", "LIMIT 1")
    'SELECT a, b FROM t LIMIT 1'
    """
    return " ".join(("SELECT", ", ".join(columns), "FROM", source, *clauses))


def read_error(name: str, error: Exception) -> TableError:
    """Return DuckDB's complaint as one line without any of the data.

    Raises
    ------
    KeyboardInterrupt
        It complains of nothing but Ctrl-C.
    """
    if isinstance(error, duckdb.InterruptException):
        raise KeyboardInterrupt from error
    text = str(error)
    line = _LINE.search(text)
    file = _FILE.search(text)
    place = f"line {line[1]}" if line else None
    fields = _FIELDS.search(text)
    if fields:
        problem = f"expected {fields[1]} fields, got {fields[2]}"
    elif "unterminated quote" in text:
        problem = "a quoted field is never closed"
    elif "nvalid unicode" in text or "nvalid UTF" in text:
        problem = "expected UTF-8 text"
    elif "magic bytes" in text or "too small to be a Parquet file" in text:
        problem = "not a whole Parquet file: it is cut short or of another format"
    elif "at least one non-root column" in text:
        problem = "the table has no columns"
    else:
        problem = f"cannot be read: {text.splitlines()[0].partition(': ')[2] or text}"
    return TableError(problem, table=file[1] if file else name, place=place)
