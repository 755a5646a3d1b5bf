"""Read CSV files with types that come from every row, never from a sample."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import duckdb

from monitor.sql import identifier, literal, read_error, select
from watchkeeper.errors import TableError

_DELIMITERS = ",;\t|"
#: Words that stand for "no value" where all other values are numbers, dates or booleans.
_ABSENT = ("NA", "N/A", "NULL", "null", "None", "NaN", "nan", "-")


def csv_query(connection: duckdb.DuckDBPyConnection, files: Sequence[str], *, name: str) -> str:
    """Return a query that reads CSV files as one typed table.

    The delimiter is the most frequent of ``, ; tab |`` in the header line; the header is required.
    An empty field is null. A column is numerical, boolean or a datetime (naive: UTC) when every
    field that is not empty or a word for "no value" can be read as such; text otherwise.

    Raises
    ------
    TableError
        A file has no header, headers differ, a name comes twice, or a row has another number of
        fields than the header; the line is named.
    """
    delimiter, header = _header(files[0], name)
    for file in files[1:]:
        if _header(file, name) != (delimiter, header):
            raise TableError(f"its header differs from the one of {files[0]}", table=file)
    source = _source(files, delimiter, header)
    columns = [identifier(column) for column in header]
    try:
        evidence = connection.sql(select(map(_evidence, columns), source)).fetchall()[0]
    except duckdb.Error as exc:
        raise read_error(name, exc) from exc
    per_column = zip(*(iter(evidence),) * 4, strict=True)
    casts = [_cast(column, *counts) for column, counts in zip(columns, per_column, strict=True)]
    return select(casts, source)


def _header(file: str, name: str) -> tuple[str, list[str]]:
    """Return the delimiter and the column names of one file."""
    opener = gzip.open if file.lower().endswith(".gz") else open
    try:
        with opener(Path(file), "rt", encoding="utf-8-sig", newline="") as lines:
            first = next(iter(lines), "")
            delimiter = max(_DELIMITERS, key=first.count)
            lines.seek(0)
            header = next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except (UnicodeDecodeError, csv.Error, OSError) as exc:
        raise TableError(f"expected UTF-8 text with a header: {exc}", table=name) from exc
    if not any(header):
        raise TableError("the file is empty; expected a header line", table=name, place="line 1")
    header = [column or f"column_{i}" for i, column in enumerate(header, start=1)]
    # DuckDB does not tell names apart by case, and would rename one of them silently.
    folded = [column.casefold() for column in header]
    for column, key in zip(header, folded, strict=True):
        if folded.count(key) > 1:
            raise TableError(f"two columns are named {column!r}", table=name, place="line 1")
    return delimiter, header


def _source(files: Sequence[str], delimiter: str, header: Sequence[str]) -> str:
    listed = ", ".join(map(literal, files))
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in header)
    return (
        f"read_csv([{listed}], auto_detect = false, header = true, delim = {literal(delimiter)}, "
        f"""quote = '"', escape = '"', nullstr = '', columns = {{{columns}}})"""
    )


def _present(column: str) -> str:
    absent = ", ".join(map(literal, _ABSENT))
    return f"CASE WHEN {column} NOT IN ({absent}) THEN {column} END"


def _evidence(column: str) -> str:
    present = _present(column)
    return (
        f"count({present}), count(TRY_CAST({present} AS DOUBLE)), "
        f"count(CASE WHEN lower({column}) IN ('true', 'false') THEN 1 END), "
        f"count(TRY_CAST({present} AS TIMESTAMPTZ))"
    )


def _cast(column: str, present: int, numbers: int, booleans: int, datetimes: int) -> str:
    if present == 0:
        return f"CAST(NULL AS VARCHAR) AS {column}"
    for found, kind in ((numbers, "DOUBLE"), (booleans, "BOOLEAN"), (datetimes, "TIMESTAMPTZ")):
        if found == present:
            return f"CAST({_present(column)} AS {kind}) AS {column}"
    return column
