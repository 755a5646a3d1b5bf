"""Rows as the numbers that a tree model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.schema import ColumnKind

Floats = NDArray[np.float64]

#: Categories with a code of their own; rarer ones share the last code.
MOST_CATEGORIES = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """Two tables in one code.

    Parameters
    ----------
    reference, current
        One row per row, one column per name; NaN where there is no value.
    names, categorical
        Of the columns, and whether each holds codes of categories.
    """

    reference: Floats
    current: Floats
    names: tuple[str, ...]
    categorical: tuple[bool, ...]


def encode(reference: pa.Table, current: pa.Table, kinds: Mapping[str, ColumnKind]) -> Encoded:
    """Encode the columns that both tables have.

    Numbers stay as they are, datetimes become microseconds, texts their length, and categories the
    rank of how often they occur.

    Examples
    --------
    >>> one, two = pa.table({"a": ["x", "y", "x"]}), pa.table({"a": ["y", None, "z"]})
    >>> encode(one, two, {"a": ColumnKind.CATEGORICAL}).current.ravel().tolist()
    [1.0, nan, 2.0]
    """
    names = [n for n in kinds if n in reference.column_names and n in current.column_names]
    parts = [_column(_whole(reference, name), _whole(current, name), kinds[name]) for name in names]
    return Encoded(
        reference=_side([part[0] for part in parts], len(reference)),
        current=_side([part[1] for part in parts], len(current)),
        names=tuple(names),
        categorical=tuple(kinds[name] is ColumnKind.CATEGORICAL for name in names),
    )


def _side(columns: Sequence[Floats], rows: int) -> Floats:
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0))


def _whole(table: pa.Table, name: str) -> Any:
    column = table.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _column(reference: Any, current: Any, kind: ColumnKind) -> tuple[Floats, Floats]:
    if kind is ColumnKind.CATEGORICAL:
        return _codes(reference, current)
    return _numbers(reference, kind), _numbers(current, kind)


def _numbers(column: Any, kind: ColumnKind) -> Floats:
    if kind is ColumnKind.TEXT:
        column = pc.utf8_length(column.cast(pa.string()))
    elif kind is ColumnKind.DATETIME and not pa.types.is_null(column.type):
        column = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False)
        column = column.cast(pa.int64())
    values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    found = np.array(values, dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def _codes(reference: Any, current: Any) -> tuple[Floats, Floats]:
    sides = [column.cast(pa.string()).to_pylist() for column in (reference, current)]
    counts: dict[str, int] = {}
    for value in (value for side in sides for value in side if value is not None):
        counts[value] = counts.get(value, 0) + 1
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    number = {value: min(rank, MOST_CATEGORIES) for rank, value in enumerate(ranked)}
    one, two = (
        np.array([np.nan if value is None else number[value] for value in side], dtype=np.float64)
        for side in sides
    )
    return one, two
