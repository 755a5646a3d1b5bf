"""The profile query without DuckDB's own functions, pushed down to PostgreSQL, Spark and others.

The aggregates are those of ``counting``: what DuckDB counts into maps is counted here by the number
of its cell, in one query that takes each row once for each map; all else stays as it is. So every
engine shares the edges, the order of NaN before edges, and the way back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import ibis
from ibis.expr import operations as ops

from monitor.profiles.bins import PREDICTED, ProfileBins
from monitor.profiles.counting import aggregates
from monitor.profiles.dialects import rewritten
from monitor.profiles.functions import PLACE, epoch_us
from monitor.profiles.model import Profile
from monitor.profiles.outcome_counts import TRUTH
from monitor.profiles.query import MICROSECOND, by_segment, read_tiles
from watchkeeper.errors import InputError
from watchkeeper.schema import ColumnKind, Task

_TILE, _PART, _CELL, _ROWS = "tile", "wk_part", "wk_cell", "wk_rows"
#: The aggregate that counts different rows; it takes a query of its own.
_DIFFERENT = "q_different"

Row = dict[str, Any]
Pairs = list[tuple[Any, int]]


def profile_pushed_down(
    backend: ibis.BaseBackend, rows: ibis.Table, bins: ProfileBins, tile: timedelta
) -> dict[datetime, Profile]:
    """Profile a table where it lies; only counts and sums leave the engine.

    Counts, minima and maxima are those that ``profile_rows`` finds in the same rows; sums agree to
    within rounding.

    Parameters
    ----------
    backend
        PostgreSQL, Spark, or DuckDB.
    rows
        A table of that back-end with ``timestamp``, the columns of ``bins`` and ``y_true``; times
        without a zone are UTC.
    tile
        Length of a tile; divides a day.

    Raises
    ------
    InputError
        A column has a type that engines write as different text.
    """

    def found(segment: str | None) -> list[Row]:
        query = portable_query(rows, bins, tile, segment)
        answers = {
            name: backend.to_pyarrow(rewritten(one, backend.name)).to_pylist()
            for name, one in query.queries.items()
        }
        return query.read(answers)

    return read_tiles(found, bins, tile)


@dataclass(frozen=True, kw_only=True, slots=True)
class PortableQuery:
    """The queries of one profile, and the way from their results to rows as DuckDB gives them.

    Parameters
    ----------
    queries
        ``sums``, one row a tile; ``cells``, one row for each count that is not zero; and, where
        there are features, ``different``, one row a tile.
    keys
        Columns that tell the tiles and segments apart.
    parts
        For each map, in the order of its number, its name and the way back from its cells.
    """

    queries: Mapping[str, ibis.Table]
    keys: tuple[str, ...]
    parts: tuple[tuple[str, Callable[[Mapping[int, int]], Pairs]], ...]

    def read(self, answers: Mapping[str, Iterable[Row]]) -> list[Row]:
        """Put the results of the queries together, one row for each tile and segment."""
        counted: dict[Any, dict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
        for row in answers["cells"]:
            counted[self._key(row)][row[_PART]][row[_CELL]] = row[_ROWS]
        different = {self._key(row): row[_ROWS] for row in answers.get("different", ())}
        found = []
        for row in answers["sums"]:
            key = self._key(row)
            maps = {name: back(counted[key][n]) for n, (name, back) in enumerate(self.parts)}
            # The number of rows itself says that none is the copy of another.
            found.append({**row, **maps, _DIFFERENT: different.get(key, row["n"])})
        return found

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.keys)


def portable_query(
    rows: ibis.Table, bins: ProfileBins, tile: timedelta, segment: str | None = None
) -> PortableQuery:
    """Return the queries of a profile, still to be ``rewritten`` for the engine that runs them.

    Raises
    ------
    InputError
        As ``profile_pushed_down``.
    """
    _require_plain(rows, bins)
    rows = rows.mutate(**{_TILE: epoch_us(rows.timestamp) // (tile // MICROSECOND)})
    rows, keys = by_segment(rows, bins, segment)
    plain, parts, cells = {}, [], []
    different = None
    for name, expression in aggregates(rows, bins).items():
        operation = expression.op()
        if name == _DIFFERENT:
            different = dict(zip(operation.arg.arg.names, operation.arg.arg.values, strict=True))
        elif isinstance(operation, ops.AggUDF):
            cell, back = _cell_of(operation)
            cells.append(cell)
            parts.append((name, back))
        else:
            plain[name] = expression
    queries = {
        "sums": rows.group_by(keys).aggregate(**plain),
        "cells": _cells(rows, keys, cells),
    }
    if different is not None:
        own = {name: value.to_expr() for name, value in different.items()}
        alone = rows.select(*keys, **{f"wk_{n}": value for n, value in enumerate(own.values())})
        queries["different"] = alone.distinct().group_by(keys).aggregate(**{_ROWS: ibis._.count()})
    return PortableQuery(queries=queries, keys=tuple(keys), parts=tuple(parts))


def _cells(rows: ibis.Table, keys: Sequence[str], cells: Sequence[Any]) -> ibis.Table:
    # A row meets the number of each map once, and only that map's cell is worked out.
    numbers = ibis.array(list(range(len(cells)))).unnest().name(_PART).as_table()
    each = rows.cross_join(numbers)
    cell = each[_PART].cases(*enumerate(cells))
    counted = each.select(*keys, _PART, **{_CELL: cell})
    counted = counted.filter(counted[_CELL].notnull())
    return counted.group_by([*keys, _PART, _CELL]).aggregate(**{_ROWS: ibis._.count()})


def _cell_of(operation: Any) -> tuple[Any, Callable[[Mapping[int, int]], Pairs]]:
    """Return the number of the cell that a value falls into, null for none, and the way back."""
    value = operation.args[0].to_expr()
    if isinstance(value.op(), PLACE):
        listed, text = (argument.to_expr() for argument in value.op().args)
        places = [(name, place) for place, name in enumerate(listed.op().value, start=1)]
        value = text.cases(*places, else_=ibis.null("int64"))
    if value.type().is_integer():
        return value, lambda counts: list(counts.items())
    listed = list(operation.args[1].value)
    if value.type().is_string():
        numbered = [(name, number) for number, name in enumerate(listed)]
        cell = value.cases(*numbered, else_=ibis.null("int64"))
        return cell, lambda counts: [(name, counts.get(n, 0)) for name, n in numbered]
    ends = [*listed, float("inf")]
    cell = value.notnull().ifelse(_bin(value, listed, 0), ibis.null("int64"))
    return cell, lambda counts: [(end, counts.get(n, 0)) for n, end in enumerate(ends)]


def _bin(value: Any, bounds: Sequence[float], first: int) -> Any:
    """Return the number of bounds below a value, by halving."""
    if not bounds:
        return ibis.literal(first, "int64")
    middle = len(bounds) // 2
    upto = value <= ibis.literal(bounds[middle], "float64")
    below = _bin(value, bounds[:middle], first)
    return upto.ifelse(below, _bin(value, bounds[middle + 1 :], first + middle + 1))


def _require_plain(rows: ibis.Table, bins: ProfileBins) -> None:
    """Refuse columns that engines would read or write in ways of their own."""
    types = {name: type_ for name, type_ in rows.schema().items() if name in bins.columns}
    for name, type_ in types.items():
        kind = bins.columns[name].kind
        if kind is ColumnKind.CATEGORICAL:
            _require_text(name, type_)
        elif kind is ColumnKind.TEXT and not type_.is_string():
            raise InputError(f"column {name}: expected text, got {type_}")
        elif kind is ColumnKind.DATETIME and type_.is_string():
            raise InputError(f"column {name}: expected timestamps, got string")
    if bins.task is Task.MULTICLASS:
        for name in (PREDICTED, TRUTH):
            _require_text(name, rows[name].type())


def _require_text(name: str, type_: Any) -> None:
    if not (type_.is_string() or type_.is_integer() or type_.is_boolean() or type_.is_null()):
        problem = f"column {name}: expected categories as text, integers or booleans, got {type_}"
        raise InputError(problem)
