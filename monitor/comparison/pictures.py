"""Histograms for the eye, from samples and counts."""

from __future__ import annotations

import itertools
import math

import numpy as np

from monitor.comparison.model import Histogram
from monitor.comparison.scan import CategoryCounts
from monitor.edges import Values

_BARS = 24
_MOST_CATEGORIES = 12


def of_numbers(reference: Values, current: Values) -> Histogram | None:
    """Draw bars of equal width over the range of both samples, without the outermost 0.5 %."""
    reference, current = reference[np.isfinite(reference)], current[np.isfinite(current)]
    if not len(reference) and not len(current):
        return None
    ends = [
        np.quantile(values, share, method="nearest")
        for values in (reference, current)
        if len(values)
        for share in (0.005, 0.995)
    ]
    low, high = float(min(ends)), float(max(ends))
    if low == high:
        low, high = low - 0.5, high + 0.5
    if not math.isfinite(high - low):
        return None
    edges = np.linspace(low, high, _BARS + 1)
    return Histogram(
        labels=tuple(f"{left:.4g} to {right:.4g}" for left, right in itertools.pairwise(edges)),
        reference=_shares(reference, edges),
        current=_shares(current, edges),
    )


def _shares(values: Values, edges: Values) -> tuple[float, ...]:
    inside = np.clip(values, edges[0], edges[-1])
    counts = np.histogram(inside, edges)[0]
    return tuple((counts / max(len(values), 1)).tolist())


def of_categories(reference: CategoryCounts, current: CategoryCounts) -> Histogram | None:
    """Draw the most frequent categories of both tables, and the others together."""
    rows = (reference.rows - reference.null, current.rows - current.null)
    if not any(rows):
        return None
    sides = (reference.counts, current.counts)
    weight = {
        value: sum(side.get(value, 0) / max(n, 1) for side, n in zip(sides, rows, strict=True))
        for value in {**reference.counts, **current.counts}
    }
    shown = sorted(weight, key=lambda value: (-weight[value], value))[:_MOST_CATEGORIES]
    shares = []
    for side, n in zip(sides, rows, strict=True):
        bars = [side.get(value, 0) / max(n, 1) for value in shown]
        shares.append((*bars, max(0.0, 1.0 - sum(bars)) if n else 0.0))
    labels = (*shown, "others")
    if max(shares[0][-1], shares[1][-1]) < 1e-12:
        labels, shares = labels[:-1], [bars[:-1] for bars in shares]
    return Histogram(labels=labels, reference=shares[0], current=shares[1])
