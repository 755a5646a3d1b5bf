"""Read both tables: decide the kind of every column, fit bins on the reference, count both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.comparison import scan
from monitor.comparison.columns import (
    Family,
    SharedColumn,
    as_category,
    as_length,
    as_number,
    raw_present,
)
from monitor.comparison.scan import CategoryCounts, NumberCounts
from monitor.edges import MAX_CATEGORIES, ColumnBins, Values, fit_numbers
from monitor.sql import select
from monitor.tables import Table, Tables
from watchkeeper.schema import ColumnKind

#: Values of a column with very many of them that are followed one by one.
_FOLLOWED = 100
#: A column is text, not categories, when its frequent values cover less than this share of it,
#: or when nearly all of its values differ.
_COVERED_SHARE = 0.5
_UNIQUE_SHARE = 0.9
_FEW_STRINGS = 20

#: Told what is being done, and which share of that is done.
Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnReading:
    """What both tables hold in one column.

    Parameters
    ----------
    reference, current
        Counts; None where the current values cannot be read as the reference's.
    bins
        For columns that are compared as numbers.
    reference_sample, current_sample
        Values of a random sample of rows, for columns that are compared as numbers.
    """

    column: SharedColumn
    kind: ColumnKind
    reference: NumberCounts | CategoryCounts | None
    current: NumberCounts | CategoryCounts | None
    bins: ColumnBins | None = None
    reference_sample: Values | None = None
    current_sample: Values | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The two tables, opened."""

    tables: Tables
    reference: Table
    current: Table


def read(
    pair: Pair, shared: Sequence[SharedColumn], *, seed: int, progress: Progress
) -> list[ColumnReading]:
    """Read the shared columns of both tables.

    Parameters
    ----------
    seed
        Of the samples.

    Raises
    ------
    TableError
        The data of a table is damaged.
    """
    columns = _settled(pair, shared)
    kinds = _kinds(pair, columns, seed=seed)
    readable = [column for column in columns if column.readable]
    numbers = [column for column in readable if kinds[column.name] is not ColumnKind.CATEGORICAL]
    categories = [column for column in readable if kinds[column.name] is ColumnKind.CATEGORICAL]
    found = _read_numbers(pair, numbers, kinds, seed=seed, progress=progress)
    progress("counting categories", 0.0)
    found |= _read_categories(pair, categories, seed=seed)
    return [
        found.get(column.name)
        or ColumnReading(column=column, kind=kinds[column.name], reference=None, current=None)
        for column in columns
    ]


def _settled(pair: Pair, shared: Sequence[SharedColumn]) -> list[SharedColumn]:
    """Give columns that hold only nulls the other table's type, for they have none of their own."""
    changed = [column for column in shared if column.changed]
    if not changed:
        return list(shared)
    settled: dict[str, SharedColumn] = {}
    counts = [
        pair.tables.query(table, select(raw_present(changed), table.source))[0]
        for table in (pair.reference, pair.current)
    ]
    for column, before, now in zip(changed, *counts, strict=True):
        if not now:
            settled[column.name] = replace(column, current=column.reference)
        elif not before:
            settled[column.name] = replace(column, reference=column.current)
    return [settled.get(column.name, column) for column in shared]


def _kinds(pair: Pair, columns: Sequence[SharedColumn], *, seed: int) -> dict[str, ColumnKind]:
    plain = {
        Family.NUMBER: ColumnKind.NUMERICAL,
        Family.DATETIME: ColumnKind.DATETIME,
        Family.BOOLEAN: ColumnKind.CATEGORICAL,
    }
    kinds = {
        column.name: plain[column.reference]
        for column in columns
        if column.reference is not Family.STRING
    }
    strings = [column for column in columns if column.reference is Family.STRING]
    expressions = {
        column.name: as_category(column.name, Family.STRING, Family.STRING) for column in strings
    }
    return kinds | string_kinds(pair.tables, pair.reference, expressions, seed=seed)


def string_kinds(
    tables: Tables, table: Table, expressions: Mapping[str, str], *, seed: int
) -> dict[str, ColumnKind]:
    """Tell categories from text: text is what hardly ever comes twice.

    Parameters
    ----------
    expressions
        By name, SQL of columns of strings.
    """
    kinds = {}
    for name, values in scan.distinct(tables, table, expressions).items():
        kinds[name] = ColumnKind.CATEGORICAL
        if values > MAX_CATEGORIES:
            expression = expressions[name]
            followed = scan.frequent(
                tables, table, expression, rows=scan.SAMPLE_ROWS, limit=_FOLLOWED, seed=seed
            )
            counts = scan.count_listed(tables, table, expression, followed)
            if counts.others > (1 - _COVERED_SHARE) * (counts.rows - counts.null):
                kinds[name] = ColumnKind.TEXT
        elif values > max(_FEW_STRINGS, _UNIQUE_SHARE * table.rows):
            kinds[name] = ColumnKind.TEXT
    return kinds


def _follow(
    pair: Pair, expression: str, *, seed: int, limit: int = _FOLLOWED, whole: bool = False
) -> list[str]:
    """Return the reference's most frequent values, from a sample unless from the whole of it."""
    rows = pair.reference.rows if whole else scan.SAMPLE_ROWS
    return scan.frequent(pair.tables, pair.reference, expression, rows=rows, limit=limit, seed=seed)


def _read_numbers(
    pair: Pair,
    columns: Sequence[SharedColumn],
    kinds: Mapping[str, ColumnKind],
    *,
    seed: int,
    progress: Progress,
) -> dict[str, ColumnReading]:
    if not columns:
        return {}
    sql_reference = {
        column.name: _number_sql(column, kinds, column.reference) for column in columns
    }
    sql_current = {column.name: _number_sql(column, kinds, column.current) for column in columns}
    progress("sampling", 0.0)
    before = scan.sample(pair.tables, pair.reference, sql_reference, seed=seed)
    progress("sampling", 0.5)
    now = scan.sample(pair.tables, pair.current, sql_current, seed=seed)
    bins = {name: fit_numbers(values, kind=kinds[name]) for name, values in before.items()}
    reference = scan.count_numbers(
        pair.tables,
        pair.reference,
        sql_reference,
        bins,
        progress=_counter(progress, "reading the reference", pair.reference, len(columns)),
    )
    ranges = {name: (counts.minimum, counts.maximum) for name, counts in reference.items()}
    current = scan.count_numbers(
        pair.tables,
        pair.current,
        sql_current,
        bins,
        ranges=ranges,
        progress=_counter(progress, "reading the current table", pair.current, len(columns)),
    )
    return {
        column.name: ColumnReading(
            column=column,
            kind=kinds[column.name],
            reference=reference[column.name],
            current=current[column.name],
            bins=bins[column.name],
            reference_sample=before[column.name],
            current_sample=now[column.name],
        )
        for column in columns
    }


def _number_sql(column: SharedColumn, kinds: Mapping[str, ColumnKind], family: Family) -> str:
    if kinds[column.name] is ColumnKind.TEXT:
        return as_length(column.name)
    return as_number(column.name, family, column.reference)


def _counter(progress: Progress, what: str, table: Table, columns: int) -> scan.Progress:
    cells = max(table.rows * columns, 1)
    read = 0

    def tell(more: int) -> None:
        nonlocal read
        read += more
        progress(what, read / cells)

    return tell


def _read_categories(
    pair: Pair, columns: Sequence[SharedColumn], *, seed: int
) -> dict[str, ColumnReading]:
    sql_reference = {
        column.name: as_category(column.name, column.reference, column.reference)
        for column in columns
    }
    sql_current = {
        column.name: as_category(column.name, column.current, column.reference)
        for column in columns
    }
    sides = ((pair.reference, sql_reference), (pair.current, sql_current))
    distinct = [scan.distinct(pair.tables, table, sql) for table, sql in sides]
    listed = {}
    for name, expression in sql_reference.items():
        if max(found[name] for found in distinct) > scan.MAX_LISTED:
            few = distinct[0][name] <= scan.MAX_LISTED
            limit = 2 * scan.MAX_LISTED if few else _FOLLOWED
            listed[name] = _follow(pair, expression, limit=limit, seed=seed, whole=few)
    counts = [
        scan.count_categories(
            pair.tables, table, {name: sql[name] for name in sql if name not in listed}
        )
        | {
            name: scan.count_listed(pair.tables, table, sql[name], values)
            for name, values in listed.items()
        }
        for table, sql in sides
    ]
    return {
        column.name: ColumnReading(
            column=column,
            kind=ColumnKind.CATEGORICAL,
            reference=counts[0][column.name],
            current=counts[1][column.name],
        )
        for column in columns
    }
