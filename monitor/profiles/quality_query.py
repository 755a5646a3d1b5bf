"""Expressions that count what the checks of data quality need, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
from numpy.typing import NDArray

from monitor.decimals import DOUBLE_SLACK, MANY, SINGLE_SLACK, SLACK, coarse_decimals
from monitor.edges import FEW_VALUES, MAX_CATEGORIES, ColumnBins
from monitor.profiles.bins import PREDICTED, SCORE, ProfileBins
from monitor.profiles.functions import epoch_us, nearest, value_counts
from monitor.profiles.quality_counts import HOURS, QualityCounts
from watchkeeper.schema import ColumnKind

Integers = NDArray[np.int64]
Row = Mapping[str, Any]

#: Column of the time of a row, where ``timestamp`` is something else.
OCCURRED = " occurred at"
#: With this after its name, the column that tells which of a column's values are misread text.
MISREAD = " misread"
_HOUR_US = 3_600_000_000
#: Columns that tell rows apart well enough: those with the most bins.
_HASHED = 12


def row_aggregates(rows: ibis.Table, bins: ProfileBins) -> dict[str, Any]:
    """Return the aggregates over whole rows, by name.

    Parameters
    ----------
    rows
        With ``timestamp`` beside the columns of ``bins``; where that is the start of a longer
        stretch, the time of each row is in ``OCCURRED``.
    """
    names = [name for name in bins.columns if name in rows.columns and name not in _OUTPUTS]
    hashed = sorted(names, key=lambda name: -bins.columns[name].n_bins)[:_HASHED]
    time = rows[OCCURRED] if OCCURRED in rows.columns else rows.timestamp
    hour = epoch_us(time) // _HOUR_US % HOURS
    found = {"q_hours": value_counts(hour)}
    if hashed:
        # Not by their time: what is delivered twice may be stamped twice.
        row = ibis.struct({name: rows[name] for name in hashed})
        found["q_different"] = row.hash().nunique()
    return found


_OUTPUTS = frozenset({SCORE, PREDICTED})


def read_quality(row: Row, columns: Integers) -> QualityCounts:
    """Make counts of one row of results and the counts of its columns, one column a row."""
    hours = np.zeros(HOURS, dtype=np.int64)
    for hour, rows in row["q_hours"] or ():
        hours[hour] = rows
    return QualityCounts(
        columns=columns.T,
        hours=hours,
        copies=row["n"] - row.get("q_different", row["n"]),
    )


def number_aggregates(finite: Any, column: ColumnBins) -> dict[str, Any]:
    """Return the aggregates of one column of numbers, by name.

    Parameters
    ----------
    finite
        The values, null where they are not finite.
    """
    found = {}
    if column.kind is ColumnKind.NUMERICAL and column.decimals is not None:
        coarse = coarse_decimals(column.decimals)
        if coarse >= 0:
            found["coarse"] = _has_decimals(finite, coarse, column).sum()
        if column.decimals < MANY:
            found["usual"] = _has_decimals(finite, column.decimals, column).sum()
    if column.distinct is not None and FEW_VALUES < column.distinct <= MAX_CATEGORIES:
        found["distinct"] = finite.nunique()
    return found


def read_numbers(
    parts: Mapping[str, Integers], finite: Integers, occupied: Integers
) -> dict[str, Integers]:
    """Return the counts of one column of numbers in all rows of results, by name.

    Parameters
    ----------
    finite
        Its finite values, shape ``(rows,)``.
    occupied
        How many of its bins hold a value, likewise.
    """
    found = {"distinct": parts.get("distinct", occupied)}
    if "coarse" in parts:
        found["coarse"] = parts["coarse"]
    if "usual" in parts:
        found["fine"] = finite - parts["usual"]
    return found


def _has_decimals(value: Any, decimals: int, column: ColumnBins) -> Any:
    """Return whether a value needs at most so many decimals.

    As ``decimals.has_decimals``, but with one slack for the whole column, which is much faster.
    """
    largest = max(abs(column.minimum or 0.0), abs(column.maximum or 0.0))
    relative = SINGLE_SLACK if column.single else DOUBLE_SLACK
    slack = SLACK + relative * largest * 10.0**decimals
    scaled = value * 10.0**decimals if decimals else value
    # A half is never near enough, so that it does not matter which way it goes.
    return (scaled - nearest(scaled)).abs() <= slack
