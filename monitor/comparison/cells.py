"""From counts to the cells that are tested: merged so far that each holds enough rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from monitor.comparison.scan import CategoryCounts, NumberCounts
from monitor.edges import ColumnBins
from monitor.statistics.counts import Counts
from monitor.statistics.homogeneity import Segment, given_bins

#: Rows of the smaller table per cell to aim at, and the range of the number of cells.
_ROWS_PER_CELL = 25
_FEWEST, _MOST = 4, 20
_MOST_CATEGORIES = 100


def number_segments(
    reference: NumberCounts, current: NumberCounts, bins: ColumnBins
) -> list[Segment]:
    """Return the cells of a column of numbers, with missing and infinite values apart.

    Bins are merged by the numbers of rows alone, never by what is in them, so that the
    test of the merged cells stays exact.
    """
    if bins.discrete:
        segments = _value_segments(
            reference.values, current.values, (reference.others, current.others)
        )
    else:
        smaller = min(reference.finite, current.finite)
        wanted = int(np.clip(smaller // _ROWS_PER_CELL, _FEWEST, _MOST))
        segments = _spacing_segments(reference.counts, current.counts, bins, wanted)
    return segments + _apart(
        (reference.missing, current.missing),
        (reference.minus_infinite, current.minus_infinite),
        (reference.plus_infinite, current.plus_infinite),
    )


def category_segments(reference: CategoryCounts, current: CategoryCounts) -> list[Segment]:
    """Return the cells of a column of categories, with missing values apart."""
    segments = _value_segments(reference.counts, current.counts, (reference.others, current.others))
    return segments + _apart((reference.missing, current.missing))


def _apart(*pairs: tuple[int, int]) -> list[Segment]:
    return [
        Segment(reference=np.array([first]), current=np.array([second]))
        for first, second in pairs
        if first or second
    ]


def _spacing_segments(
    reference: Counts, current: Counts, bins: ColumnBins, wanted: int
) -> list[Segment]:
    """Join neighbouring bins to about ``wanted`` cells; values that fill a cell stay alone."""
    target = reference.sum() / wanted
    atoms = set(bins.atoms)
    segments: list[Segment] = []
    start = 0
    for position, edge in enumerate((*bins.edges, None)):
        if edge in atoms and reference[position] >= target:
            segments += _joined(reference[start:position], current[start:position], target)
            segments += given_bins(
                reference[position : position + 1], current[position : position + 1]
            )
            start = position + 1
    return segments + _joined(reference[start:], current[start:], target)


def _joined(reference: Counts, current: Counts, target: float) -> list[Segment]:
    """Join bins of one stretch; a cell ends with the bin that is nearest to a multiple of it."""
    total = reference.sum()
    if not total:
        return _apart((0, int(current.sum())))
    parts = max(1, round(total / target))
    if parts >= len(reference):
        return [Segment(reference=reference, current=current)]
    below = np.cumsum(reference)
    middle = (below[:-1] + below[1:]) / 2
    ends = np.unique(np.searchsorted(middle, np.arange(1, parts) * (total / parts))) + 1
    starts = np.concatenate([[0], ends[ends < len(reference)]]).astype(np.intp)
    return [
        Segment(
            reference=np.add.reduceat(reference, starts),
            current=np.add.reduceat(current, starts),
        )
    ]


def _value_segments(
    reference: Mapping[Any, int], current: Mapping[Any, int], others: tuple[int, int]
) -> list[Segment]:
    """Give each value a cell; rare ones share one.

    Which values are rare is decided on both tables together. A rule on the reference alone,
    such as "not in the reference", would find a difference where there is none.
    """
    values = sorted({*reference, *current})
    first = np.array([reference.get(value, 0) for value in values], dtype=np.int64)
    second = np.array([current.get(value, 0) for value in values], dtype=np.int64)
    pooled = first + second
    rows = (int(first.sum()), int(second.sum()))
    order = np.argsort(-pooled, kind="stable")
    expected = pooled[order] * (min(rows) / max(sum(rows), 1))
    kept = order[(expected >= 1) & (np.arange(len(order)) < _MOST_CATEGORIES - 1)]
    rest = np.setdiff1d(order, kept)
    merged = ((int(first[rest].sum()), int(second[rest].sum())), others)
    return given_bins(first[kept], second[kept]) + _apart(*merged)
