"""Two-sample chi-square statistic of two histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from monitor.statistics.counts import Floats, paired


def chi_square(reference: ArrayLike, current: ArrayLike) -> float:
    """Return Pearson's statistic for the hypothesis that both histograms have the same shares.

    Both tables are samples; neither is taken for the truth. Bins that are empty in both are left
    out.

    Parameters
    ----------
    reference, current
        Rows per bin, shape ``(bins,)``; the same bins in the same order.

    Returns
    -------
    float
        In ``[0, n_reference + n_current]``.

    Examples
    --------
    Shares of 15 / 30 are expected in every cell, all four are off by 5: ``4 * 25 / 15``.

    >>> round(chi_square([20, 10], [10, 20]), 6)
    6.666667
    """
    first, second = paired(reference, current)
    return float(pearson(first, second))


def chi_square_p_value(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the chance of a larger statistic under chi-square with (filled bins - 1) degrees.

    It is right for given bins where every expected count is 10 or more; elsewhere use
    :func:`monitor.statistics.homogeneity.homogeneity`.

    Examples
    --------
    >>> round(chi_square_p_value([20, 10], [10, 20]), 5)
    0.00982
    """
    first, second = paired(reference, current)
    degrees = int(np.count_nonzero(first + second)) - 1
    return float(chdtrc(degrees, pearson(first, second))) if degrees else 1.0


def pearson(reference: NDArray[np.number], current: NDArray[np.number]) -> Floats:
    """Return Pearson's two-sample statistic along the last axis, for many tables at once.

    Examples
    --------
    >>> pearson(np.array([20, 10]), np.array([[10, 20], [20, 10]])).round(3).tolist()
    [6.667, 0.0]
    """
    n = reference.sum(axis=-1, keepdims=True, dtype=np.float64)
    m = current.sum(axis=-1, keepdims=True, dtype=np.float64)
    pooled = reference + current
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = (np.sqrt(m / n) * reference - np.sqrt(n / m) * current) ** 2 / pooled
    statistic: Floats = np.where((pooled > 0) & (n > 0) & (m > 0), terms, 0.0).sum(axis=-1)
    return statistic
