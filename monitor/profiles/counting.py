"""Expressions that count rows on a reference's bins."""

from __future__ import annotations

import math
from typing import Any

import ibis

from monitor.edges import ColumnBins
from monitor.profiles.bins import ProfileBins
from monitor.profiles.functions import (
    epoch_us,
    histogram,
    histogram_exact,
    list_position,
    value_counts,
)
from monitor.profiles.outcome_counts import outcome_aggregates
from monitor.profiles.quality_query import (
    MISREAD,
    number_aggregates,
    row_aggregates,
)
from monitor.profiles.score_counts import score_aggregates
from watchkeeper.schema import ColumnKind

#: Of so few categories, looking for each in turn is faster than a histogram of them.
_FEW_LISTED = 20
#: So many widths of the reference's range outside of it a value is extreme.
EXTREME = 3.0


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
    bounds = bounds_of(column)
    if bounds:
        found["histogram"] = histogram(finite, bounds)
    else:
        found["finite"] = finite.count()
    if is_misread(value.type(), column.kind):
        found["given"] = value.count()
        plain = value.try_cast("float64") if value.type().is_string() else number
        found["plain"] = (number if column.kind is ColumnKind.DATETIME else plain).count()
    return found | number_aggregates(finite, column)


def marks_of(column: ColumnBins) -> dict[str, float]:
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


def bounds_of(column: ColumnBins) -> list[float]:
    """Return the upper bounds that a column's finite values are counted by: edges and marks."""
    return sorted({*marks_of(column).values(), *column.edges})


def _categories(value: Any, column: ColumnBins) -> dict[str, Any]:
    text = value.cast("string")
    found = {"present": text.count(), "empty": (text == "").sum()}
    listed = listed_of(column)
    if 0 < len(listed) <= _FEW_LISTED:
        found["places"] = value_counts(list_position(listed, text))
    elif listed:
        found["histogram"] = histogram_exact(text, listed)
    return found


def listed_of(column: ColumnBins) -> list[str]:
    """Return the categories that are counted by their place; the empty string is counted apart."""
    return [name for name in column.categories if name]
