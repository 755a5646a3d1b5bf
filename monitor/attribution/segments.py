"""Which segments carry a change of the mean loss: by growing, or by getting worse."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.attribution.model import SegmentChange
from monitor.edges import ColumnBins
from watchkeeper.schema import ColumnKind

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Segments that a numeric column is cut into, and categories that have one of their own.
_CUTS = 5
_CATEGORIES = 40
_NULL = "null"


def changes(
    column: str,
    names: Sequence[str],
    sides: tuple[Integers, Integers],
    losses: tuple[Floats, Floats],
) -> list[SegmentChange]:
    """Split the change of the mean loss over the segments of one column, exactly.

    Kitagawa's (1955) decomposition of a difference between two rates: with shares p, q and mean
    losses a, b of a segment before and now, ``mix = (q − p)·((a + b)/2 − c)`` and ``within =
    (p + q)/2·(b − a)``, where c, halfway between both overall means, does not change the sum. A
    segment that one side lacks has its loss from the other.

    Parameters
    ----------
    names
        Of the segments.
    sides
        Number of the segment of each row, of the reference and of now.
    losses
        Loss of each row.

    References
    ----------
    Kitagawa, E. M. (1955). Components of a Difference Between Two Rates. Journal of the American
    Statistical Association 50(272), 1168–1194.

    Examples
    --------
    >>> sides = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    >>> losses = np.array([0.0, 0, 1, 1]), np.array([0.0, 1, 1, 2])
    >>> found = changes("carrier", ["AA", "UA"], sides, losses)
    >>> round(sum(each.contribution for each in found), 9)
    0.5
    """
    k = len(names)
    counts = [np.bincount(side, minlength=k).astype(np.float64) for side in sides]
    totals = [np.bincount(s, weights=v, minlength=k) for s, v in zip(sides, losses, strict=True)]
    squares = [
        np.bincount(s, weights=v**2, minlength=k) for s, v in zip(sides, losses, strict=True)
    ]
    means = [t / np.maximum(c, 1) for t, c in zip(totals, counts, strict=True)]
    spread = [
        np.maximum(s / np.maximum(c, 1) - m**2, 0) / np.maximum(c, 1)
        for s, c, m in zip(squares, counts, means, strict=True)
    ]
    a, b = np.where(counts[0] > 0, means[0], means[1]), np.where(counts[1] > 0, means[1], means[0])
    n, m = (max(len(side), 1) for side in sides)
    p, q = counts[0] / n, counts[1] / m
    change = float(losses[1].mean() - losses[0].mean())
    centre = float(losses[1].mean() + losses[0].mean()) / 2
    mix, within = (q - p) * ((a + b) / 2 - centre), (p + q) / 2 * (b - a)
    share = (p + q) / 2
    variance = share**2 * (spread[0] + spread[1])
    variance += ((a + b) / 2 - centre) ** 2 * (p * (1 - p) / n + q * (1 - q) / m)
    return [
        SegmentChange(
            column=column,
            segment=names[i],
            share_reference=float(p[i]),
            share_current=float(q[i]),
            loss_reference=float(means[0][i]) if counts[0][i] else None,
            loss_current=float(means[1][i]) if counts[1][i] else None,
            mix=float(mix[i]),
            within=float(within[i]),
            excess=float(mix[i] + within[i] - share[i] * change),
            error=float(np.sqrt(variance[i])),
        )
        for i in range(k)
        if counts[0][i] + counts[1][i] > 0
    ]


def segments_of(
    reference: pa.Array, current: pa.Array, bins: ColumnBins
) -> tuple[list[str], tuple[Integers, Integers]]:
    """Return the names of a column's segments, and the number of the segment of each row.

    Parameters
    ----------
    reference, current
        Values of the column.
    """
    if bins.kind is ColumnKind.CATEGORICAL:
        return _categories(reference, current)
    return _stretches(reference, current, bins)


def _categories(
    reference: pa.Array, current: pa.Array
) -> tuple[list[str], tuple[Integers, Integers]]:
    sides = [values.cast(pa.string()).to_pylist() for values in (reference, current)]
    counts: dict[str, int] = {}
    for value in (value for side in sides for value in side if value is not None):
        counts[value] = counts.get(value, 0) + 1
    kept = sorted(counts, key=lambda value: (-counts[value], value))[:_CATEGORIES]
    number = {value: index for index, value in enumerate(kept)}
    others, null = len(kept), len(kept) + 1
    one, two = (
        np.array([null if v is None else number.get(v, others) for v in side], dtype=np.int64)
        for side in sides
    )
    return [*kept, "other", _NULL], (one, two)


def _stretches(
    reference: pa.Array, current: pa.Array, bins: ColumnBins
) -> tuple[list[str], tuple[Integers, Integers]]:
    edges = np.array(bins.edges)
    if len(edges) >= _CUTS:
        edges = edges[np.linspace(0, len(edges) - 1, _CUTS + 1).round().astype(int)[1:-1]]
    names = [f"≤ {edges[0]:.4g}"] if len(edges) else []
    names += [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges.tolist())]
    names.append(f"> {edges[-1]:.4g}" if len(edges) else "any")

    def place(values: pa.Array) -> Integers:
        numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        known = np.isfinite(numbers)
        found = np.searchsorted(edges, np.where(known, numbers, 0.0), side="left")
        return np.where(known, found, len(names)).astype(np.int64)

    return [*names, _NULL], (place(reference), place(current))
