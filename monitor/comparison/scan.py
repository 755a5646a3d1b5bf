"""Read a table once per purpose: a seeded sample, counts of numbers, counts of categories."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa

from monitor.edges import ColumnBins, Counts, Values, count
from monitor.sql import literal, read_error, select
from monitor.tables import Table, Tables

#: Rows of the sample that edges are fitted on and pictures are drawn from.
SAMPLE_ROWS = 50_000
_SAMPLE_CELLS = 2_000_000
_BATCH_CELLS = 1_000_000
_BATCH_ROWS = 60_000
#: Each column of a Parquet file takes a buffer per thread while it is read.
_COLUMNS_PER_QUERY = 50
#: An aggregate of strings takes a block of memory per column and thread from the start.
_STRINGS_PER_QUERY = 40
#: Different values of a few-valued column that are counted one by one.
_MAX_VALUES = 10_000
#: Different strings of a column that are counted one by one.
MAX_LISTED = 5_000

Progress = Callable[[int], None]


@dataclass(slots=True)
class NumberCounts:
    """What one scan counted of a column of numbers.

    Parameters
    ----------
    counts
        Finite values per bin, shape ``(bins,)``.
    values
        Rows per value, for columns with few values; those past the listed ones are in ``others``.
    under, over
        Finite values outside the reference's range.
    """

    rows: int
    counts: Counts
    values: dict[float, int] = field(default_factory=dict)
    others: int = 0
    null: int = 0
    nan: int = 0
    minus_infinite: int = 0
    plus_infinite: int = 0
    under: int = 0
    over: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf

    @property
    def missing(self) -> int:
        """Rows that are null or NaN."""
        return self.null + self.nan

    @property
    def finite(self) -> int:
        """Rows with a finite value."""
        return int(self.counts.sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryCounts:
    """What one scan counted of a column of strings.

    Parameters
    ----------
    counts
        Rows per listed value.
    others
        Rows with a value that is not listed.
    """

    rows: int
    null: int
    counts: Mapping[str, int]
    others: int

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.null


def sample(
    tables: Tables, table: Table, expressions: Mapping[str, str], *, seed: int
) -> dict[str, Values]:
    """Return the values that are not null of a seeded random sample of rows, per column."""
    if not expressions:
        return {}
    size = max(2_000, min(SAMPLE_ROWS, _SAMPLE_CELLS // len(expressions)))
    clause = _sampled(table, size, seed)
    found: dict[str, Values] = {}
    for group in _groups(list(expressions)):
        parts = [f"{expressions[name]} AS c{i}" for i, name in enumerate(group)]
        try:
            arrays = tables.connection.sql(select(parts, table.source, clause)).fetchnumpy()
        except duckdb.Error as exc:
            raise read_error(table.name, exc) from exc
        for i, name in enumerate(group):
            column = np.ma.asarray(arrays[f"c{i}"], dtype=np.float64).compressed()
            found[name] = column[~np.isnan(column)]
    return found


def _sampled(table: Table, rows: int, seed: int) -> str:
    if table.rows <= rows:
        return ""
    return f"USING SAMPLE {100 * rows / table.rows:.9f} PERCENT (bernoulli, {seed % 2**31})"


def count_numbers(
    tables: Tables,
    table: Table,
    expressions: Mapping[str, str],
    bins: Mapping[str, ColumnBins],
    *,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    progress: Progress | None = None,
) -> dict[str, NumberCounts]:
    """Count the values of columns of numbers on the reference's bins, in one pass.

    Parameters
    ----------
    expressions
        SQL of each column as float64.
    ranges
        Minimum and maximum of the reference, for values under and over it.
    progress
        Told the number of columns times rows that were read.
    """
    found = {
        name: NumberCounts(rows=table.rows, counts=np.zeros(bins[name].n_bins, np.int64))
        for name in expressions
    }
    for group in _groups(list(expressions)):
        for batch in _batches(tables, table, [expressions[name] for name in group]):
            for name, column in zip(group, batch.columns, strict=True):
                limits = ranges[name] if ranges else (-math.inf, math.inf)
                _add(found[name], column, bins[name], limits)
            if progress:
                progress(batch.num_rows * len(group))
    return found


def _groups(names: Sequence[str], size: int = _COLUMNS_PER_QUERY) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _batches(tables: Tables, table: Table, expressions: Sequence[str]) -> Iterator[pa.RecordBatch]:
    rows = max(2_048, min(_BATCH_ROWS, _BATCH_CELLS // len(expressions)))
    parts = [f"{expression} AS c{i}" for i, expression in enumerate(expressions)]
    try:
        yield from tables.connection.sql(select(parts, table.source)).to_arrow_reader(rows)
    except duckdb.Error as exc:
        raise read_error(table.name, exc) from exc


def _add(
    found: NumberCounts, column: pa.Array, bins: ColumnBins, limits: tuple[float, float]
) -> None:
    found.null += column.null_count
    values = _values(column)
    if not np.isfinite(values).all():
        found.nan += int(np.isnan(values).sum())
        found.minus_infinite += int((values == -math.inf).sum())
        found.plus_infinite += int((values == math.inf).sum())
        values = values[np.isfinite(values)]
    if len(values) == 0:
        return
    smallest, largest = float(values.min()), float(values.max())
    found.minimum, found.maximum = min(found.minimum, smallest), max(found.maximum, largest)
    if smallest < limits[0]:
        found.under += int(np.count_nonzero(values < limits[0]))
    if largest > limits[1]:
        found.over += int(np.count_nonzero(values > limits[1]))
    found.counts += count(values, bins.edges)
    if bins.discrete:
        _add_values(found, values, bins.edges)


def _values(column: pa.Array) -> Values:
    """Return the values that are not null, without a copy where there is no null."""
    # pyarrow's own conversion would import pandas, which takes longer than the whole scan.
    validity, data = column.buffers()
    if data is None:
        return np.empty(0)
    stop = column.offset + len(column)
    values: Values = np.frombuffer(data, dtype=np.float64, count=stop)[column.offset :]
    if column.null_count == 0:
        return values
    bits = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")
    present: Values = values[bits[column.offset : stop].astype(bool)]
    return present


def _add_values(found: NumberCounts, values: Values, known: Sequence[float]) -> None:
    left = len(values)
    for value in known:
        rows = int(np.count_nonzero(values == value))
        if rows:
            found.values[value] = found.values.get(value, 0) + rows
            left -= rows
    if left == 0:
        return
    for value, rows in zip(
        *np.unique(values[~np.isin(values, known)], return_counts=True), strict=True
    ):
        if float(value) in found.values or len(found.values) < _MAX_VALUES:
            found.values[float(value)] = found.values.get(float(value), 0) + int(rows)
        else:
            found.others += int(rows)


def distinct(tables: Tables, table: Table, expressions: Mapping[str, str]) -> dict[str, int]:
    """Return about how many different values each column has."""
    found: dict[str, int] = {}
    for group in _groups(list(expressions)):
        parts = [f"approx_count_distinct({expressions[name]})" for name in group]
        found |= zip(group, tables.query(table, select(parts, table.source))[0], strict=True)
    return found


def frequent(
    tables: Tables, table: Table, expression: str, *, rows: int, limit: int, seed: int
) -> list[str]:
    """Return the most frequent values of a column in a seeded sample of about ``rows`` rows."""
    sampled = select([f"{expression} AS value"], table.source, _sampled(table, rows, seed))
    query = select(
        ["value"],
        f"({sampled})",
        "WHERE value IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1",
        f"LIMIT {limit}",
    )
    return [row[0] for row in tables.query(table, query)]


def count_categories(
    tables: Tables, table: Table, expressions: Mapping[str, str]
) -> dict[str, CategoryCounts]:
    """Count the rows of each value of columns of strings, many columns in one pass."""
    found: dict[str, CategoryCounts] = {}
    for group in _groups(list(expressions), _STRINGS_PER_QUERY):
        parts = [
            part
            for name in group
            for part in (f"count({expressions[name]})", f"histogram({expressions[name]})")
        ]
        row = tables.query(table, select(parts, table.source))[0]
        for name, present, counts in zip(group, row[::2], row[1::2], strict=True):
            found[name] = CategoryCounts(
                rows=table.rows, null=table.rows - present, counts=counts or {}, others=0
            )
    return found


def count_listed(
    tables: Tables, table: Table, expression: str, listed: Sequence[str]
) -> CategoryCounts:
    """Count the rows of some values of a column that has too many; the rest are others."""
    values = ", ".join(map(literal, listed)) or "NULL"
    query = select(
        [f"CASE WHEN {expression} IN ({values}) THEN {expression} END", "count(*)"],
        table.source,
        f"WHERE {expression} IS NOT NULL GROUP BY 1",
    )
    counts = dict(tables.query(table, query))
    others = counts.pop(None, 0)
    present = others + sum(counts.values())
    return CategoryCounts(rows=table.rows, null=table.rows - present, counts=counts, others=others)
