"""Kolmogorov-Smirnov distance of two histograms over ordered bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from monitor.statistics.counts import shares


def kolmogorov_smirnov(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the largest gap between two distribution functions, seen at the bin edges.

    The gap between raw values can only be larger, by at most the largest share of one bin. A
    p-value must come from the bins as well (:mod:`monitor.statistics.homogeneity`); the
    Kolmogorov distribution does not hold for binned data.

    Parameters
    ----------
    reference, current
        Rows per bin, shape ``(bins,)``; the same bins in ascending order.

    Returns
    -------
    float
        In ``[0, 1]``.

    Examples
    --------
    The distribution functions are 0.5, 1, 1 and 0.25, 0.5, 1:

    >>> kolmogorov_smirnov([2, 2, 0], [1, 1, 2])
    0.5
    """
    first, second = shares(reference, current)
    # Shares sum to one only up to rounding; the gap above the last bin is zero by definition.
    gaps = np.abs(np.cumsum(first) - np.cumsum(second))[:-1]
    return float(gaps.max(initial=0.0))
