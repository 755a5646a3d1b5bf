"""Expressions that count rows on a reference's bins, and the way back from their results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import ibis
import numpy as np
from numpy.typing import NDArray

from monitor.edges import ColumnBins
from monitor.profiles.bins import ProfileBins
from monitor.profiles.functions import (
    epoch_us,
    histogram,
    histogram_exact,
    list_position,
    value_counts,
)
from monitor.profiles.layout import SPECIAL
from monitor.profiles.model import MOMENTS, Profile
from monitor.profiles.outcome_counts import outcome_aggregates, read_outcomes
from monitor.profiles.quality_counts import PER_COLUMN
from monitor.profiles.quality_query import (
    MISREAD,
    number_aggregates,
    read_numbers,
    read_quality,
    row_aggregates,
)
from monitor.profiles.score_counts import read_scores, score_aggregates
from watchkeeper.schema import ColumnKind

#: Of so few categories, looking for each in turn is faster than a histogram of them.
_FEW_LISTED = 20
#: So many widths of the reference's range outside of it a value is extreme.
EXTREME = 3.0

Row = Mapping[str, Any]
Read = tuple[list[int], Sequence[int], list[float], Mapping[str, int]]


def aggregates(rows: ibis.Table, bins: ProfileBins) -> dict[str, Any]:
    """Return every aggregate of a profile, by name; one SELECT takes them all.

    Parameters
    ----------
    rows
        With the columns of ``bins``, ``y_pred`` and ``y_true``.
    """
    found: dict[str, Any] = {"n": rows.count()}
    for index, (name, column) in enumerate(bins.columns.items()):
        if name not in rows.columns:
            continue
        count = _categories if column.kind is ColumnKind.CATEGORICAL else _numbers
        for part, expression in count(rows[name], column).items():
            found[f"c{index}_{part}"] = expression
        if column.numbers and rows[name].type().is_string():
            found[f"c{index}_misread"] = (
                rows[name].notnull() & rows[name].try_cast("float64").isnull()
            ).sum()
        if f"{name}{MISREAD}" in rows.columns:
            found[f"c{index}_misread"] = rows[f"{name}{MISREAD}"].sum()
    found |= row_aggregates(rows, bins)
    return found | outcome_aggregates(rows, bins.layout) | score_aggregates(rows, bins.layout)


def read_profile(row: Row, bins: ProfileBins) -> Profile:
    """Make a profile of one row of results."""
    cells, moments, quality = [], [], []
    keys = _keys_by_column(tuple(row))
    for index, column in enumerate(bins.columns.values()):
        parts = {part: row[key] for part, key in keys.get(index, ())}
        read = _read_categories if column.kind is ColumnKind.CATEGORICAL else _read_numbers
        found = read(parts, row["n"], column) if parts else _absent(row["n"], column)
        special, counts, moment, checked = found
        cells.extend([*special, *counts])
        moments.append(moment)
        quality.append([checked.get(name, 0) for name in PER_COLUMN])
    return Profile(
        layout=bins.layout,
        rows=row["n"],
        duplicates=row.get("duplicates") or 0,
        cells=np.array(cells, dtype=np.int64),
        moments=np.array(moments, dtype=np.float64).reshape(-1, len(MOMENTS)).T,
        outcomes=read_outcomes(row, bins.layout),
        scores=read_scores(row, bins.layout),
        quality=read_quality(row, quality),
    )


@lru_cache(maxsize=64)
def _keys_by_column(keys: tuple[str, ...]) -> Mapping[int, Sequence[tuple[str, str]]]:
    """Return for the number of each column the names of its aggregates, and their keys."""
    found: dict[int, list[tuple[str, str]]] = {}
    for key in keys:
        number, separator, part = key[1:].partition("_")
        if key.startswith("c") and separator and number.isdigit():
            found.setdefault(int(number), []).append((part, key))
    return found


def as_number(value: Any, kind: ColumnKind) -> Any:
    """Return the float64 that edges are compared with: microseconds, code points, or the value.

    What cannot be read as its kind becomes null.
    """
    type_ = value.type()
    if kind is ColumnKind.TEXT:
        return value.cast("string").length().cast("float64")
    if kind is ColumnKind.DATETIME:
        if type_.is_string():
            value = value.try_cast("timestamp('UTC')")
        elif type_.is_temporal():
            value = value.cast("timestamp('UTC')")
        else:
            return ibis.null("float64")
        return epoch_us(value).cast("float64")
    if type_.is_string():
        # The decimal comma is the usual reason why numbers arrive as text.
        point = value.replace(",", ".").try_cast("float64")
        return ibis.coalesce(value.try_cast("float64"), point)
    return ibis.null("float64") if type_.is_temporal() else value.cast("float64")


def is_misread(type_: Any, kind: ColumnKind) -> bool:
    """Whether values of this type may be unreadable as the kind."""
    if kind is ColumnKind.DATETIME:
        return not type_.is_timestamp()
    return kind is ColumnKind.NUMERICAL and not (type_.is_numeric() or type_.is_boolean())


def _numbers(value: Any, column: ColumnBins) -> dict[str, Any]:
    number = as_number(value, column.kind)
    ordinary = ~(number.isnan() | number.isinf())
    finite = ordinary.ifelse(number, ibis.null("float64"))
    found = {
        "present": number.count(),
        "nan": number.isnan().sum(),
        "total": finite.sum(),
        "squares": (finite * finite).sum(),
        "minimum": finite.min(),
        "maximum": finite.max(),
    }
    bounds = _bounds(column)
    if bounds:
        found["histogram"] = histogram(finite, bounds)
    else:
        found["finite"] = finite.count()
    if is_misread(value.type(), column.kind):
        found["given"] = value.count()
        plain = value.try_cast("float64") if value.type().is_string() else number
        found["plain"] = (number if column.kind is ColumnKind.DATETIME else plain).count()
    return found | number_aggregates(finite, column)


def _marks(column: ColumnBins) -> dict[str, float]:
    """Return upper bounds, beside the edges, that tell what lies outside the reference, and zero.

    Counting them as bins of the same histogram costs nothing.
    """
    if column.minimum is None or column.maximum is None:
        return {}
    width = (column.maximum - column.minimum) or max(abs(column.maximum), 1.0)
    marks = {
        "under": math.nextafter(column.minimum, -math.inf),
        "far_under": math.nextafter(column.minimum - width, -math.inf),
        "over": column.maximum,
        "far_over": column.maximum + width,
        "extreme_under": math.nextafter(column.minimum - EXTREME * width, -math.inf),
        "extreme_over": column.maximum + EXTREME * width,
    }
    if column.kind is ColumnKind.NUMERICAL:
        marks |= {"below_zero": math.nextafter(0.0, -math.inf), "zero": 0.0}
    return marks


def _bounds(column: ColumnBins) -> list[float]:
    return sorted({*_marks(column).values(), *column.edges})


@lru_cache(maxsize=4096)
def _places(
    column: ColumnBins,
) -> tuple[int, NDArray[np.intp], Sequence[tuple[str, int]]]:
    """Return the number of fine bounds, the bin of each fine count, and where the marks are."""
    bounds = _bounds(column)
    bins = np.searchsorted(column.edges, [*bounds, math.inf])
    return len(bounds), bins, [(name, bounds.index(mark)) for name, mark in _marks(column).items()]


def _read_numbers(parts: Row, rows: int, column: ColumnBins) -> Read:
    bounds, places, marks = _places(column)
    found = [count for _, count in parts.get("histogram") or ()]
    fine = np.zeros(bounds + 1, dtype=np.int64)
    fine[: len(found)] = found
    if not bounds:
        fine[0] = parts["finite"]
    finite, nan = int(fine.sum()), parts["nan"] or 0
    counts = np.bincount(places, weights=fine, minlength=column.n_bins).astype(np.int64)
    at_most = np.cumsum(fine).tolist()
    upto = {name: at_most[place] for name, place in marks}
    special = {
        "null": rows - parts.get("given", parts["present"]),
        "nan": nan,
        "infinite": parts["present"] - finite - nan,
        "under": upto.get("under", 0),
        "over": finite - upto.get("over", finite),
        "far": upto.get("far_under", 0) + finite - upto.get("far_over", finite),
        "zeros": upto.get("zero", 0) - upto.get("below_zero", 0),
    }
    moment = [
        parts["total"] or 0.0,
        parts["squares"] or 0.0,
        math.inf if parts["minimum"] is None else parts["minimum"],
        -math.inf if parts["maximum"] is None else parts["maximum"],
    ]
    checked = {
        "mistyped": parts.get("misread") or parts.get("given", 0) - parts.get("plain", 0),
        "negative": upto.get("below_zero", 0),
        "extreme": upto.get("extreme_under", 0) + finite - upto.get("extreme_over", finite),
        **read_numbers(parts, finite, int(np.count_nonzero(counts))),
    }
    return [special[name] for name in SPECIAL], counts.tolist(), moment, checked


def _absent(rows: int, column: ColumnBins) -> Read:
    special = [rows if name == "null" else 0 for name in SPECIAL]
    return special, [0] * column.n_bins, [0.0, 0.0, math.inf, -math.inf], {"absent": rows}


def _categories(value: Any, column: ColumnBins) -> dict[str, Any]:
    text = value.cast("string")
    found = {"present": text.count(), "empty": (text == "").sum()}
    listed = _listed(column)
    if 0 < len(listed) <= _FEW_LISTED:
        found["places"] = value_counts(list_position(listed, text))
    elif listed:
        found["histogram"] = histogram_exact(text, listed)
    return found


def _listed(column: ColumnBins) -> list[str]:
    return [name for name in column.categories if name]


def _read_categories(parts: Row, rows: int, column: ColumnBins) -> Read:
    found: dict[str, int] = dict(parts.get("histogram") or ())
    listed = _listed(column)
    found |= {listed[place - 1]: count for place, count in parts.get("places") or () if place}
    # The empty string is the name under which the function counts what is not listed.
    found[""] = parts["empty"] or 0
    known = [found.get(name, 0) for name in column.categories]
    special = [0] * len(SPECIAL)
    special[0] = rows - parts["present"]
    counts = [*known, parts["present"] - sum(known)]
    checked = {
        "distinct": int(np.count_nonzero(counts)),
        "mistyped": parts.get("misread") or 0,
    }
    return special, counts, [0.0, 0.0, math.inf, -math.inf], checked
