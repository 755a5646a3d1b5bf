"""First Wasserstein distance of two histograms over ordered bins, in standard deviations."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from monitor.statistics.counts import Floats, shares


def wasserstein(
    reference: ArrayLike, current: ArrayLike, bounds: ArrayLike, *, scale: float | None = None
) -> float:
    """Return the area between two distribution functions, divided by a scale.

    Rows are taken to be spread evenly within a bin, so both distribution functions are
    straight between bounds and the area is exact for them. Values outside the outermost bounds
    count as if they lay on them.

    Parameters
    ----------
    reference, current
        Rows per bin, shape ``(bins,)``; the same bins in ascending order.
    bounds
        Ends of the bins, shape ``(bins + 1,)``, ascending: the minimum of the reference, the edges,
        its maximum.
    scale
        Unit of the result; by default the standard deviation of the reference, from its bins.

    Returns
    -------
    float
        In units of ``scale``; 0 when the scale is 0 and nothing moved, infinite when it is 0 and
        something did.

    Raises
    ------
    ValueError
        The histograms do not match, or the bounds do not fit them.

    References
    ----------
    S. S. Vallender, "Calculation of the Wasserstein Distance Between Probability Distributions on
    the Line", Theory of Probability and Its Applications 18 (1974) 784-786.

    Examples
    --------
    All rows move from one bin of width 1 to the next one:

    >>> wasserstein([10, 0], [0, 10], [0.0, 1.0, 2.0], scale=1.0)
    1.0
    """
    first, second = shares(reference, current)
    ends = np.asarray(bounds, dtype=np.float64)
    if ends.shape != (len(first) + 1,) or not (np.diff(ends) >= 0).all():
        raise ValueError(f"expected {len(first) + 1} ascending bounds, got {ends.tolist()}")
    gaps = np.concatenate([[0.0], np.cumsum(first - second)])
    area = float((np.diff(ends) * _mean_absolute(gaps[:-1], gaps[1:])).sum())
    unit = _standard_deviation(first, ends) if scale is None else scale
    if unit > 0:
        return area / unit
    return 0.0 if area < np.finfo(np.float64).tiny else math.inf


def _mean_absolute(left: Floats, right: Floats) -> Floats:
    """Return the mean of the absolute value of straight lines from ``left`` to ``right``."""
    crosses = left * right < 0
    total = np.abs(left) + np.abs(right)
    with np.errstate(invalid="ignore", divide="ignore"):
        crossing = (left**2 + right**2) / (2 * total)
    return np.where(crosses, crossing, total / 2)


def _standard_deviation(share: Floats, ends: Floats) -> float:
    middle = (ends[1:] + ends[:-1]) / 2
    mean = float((share * middle).sum())
    variance = (share * ((middle - mean) ** 2 + np.diff(ends) ** 2 / 12)).sum()
    return math.sqrt(float(variance))
