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
    """Group bins between atoms, neighbours merged to about ``wanted`` cells in all."""
    size = max(1, round(len(reference) / wanted))
    atoms = set(bins.atoms)
    segments: list[Segment] = []
    start = 0
    for position in range(len(reference) + 1):
        at_end = position == len(reference)
        is_atom = position < len(bins.edges) and bins.edges[position] in atoms
        if not (at_end or is_atom):
            continue
        if position > start:
            splits = np.arange(start, position, size)
            segments.append(
                Segment(
                    reference=np.add.reduceat(reference[:position], splits),
                    current=np.add.reduceat(current[:position], splits),
                )
            )
        if is_atom:
            stop = position + 1
            segments.append(
                Segment(reference=reference[position:stop], current=current[position:stop])
            )
        start = position + 1
    return segments


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
