"""Adjusted p-values for many columns that are tested at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from monitor.statistics.counts import Floats


def holm(p_values: ArrayLike) -> Floats:
    """Adjust so that the chance of any false finding is at most the level.

    It holds under any dependence between the columns. The smallest adjusted value answers "is
    any column different?".

    Parameters
    ----------
    p_values
        In ``[0, 1]``, shape ``(columns,)``; NaN where a column was not tested.

    Returns
    -------
    ndarray of float64
        In the order given; NaN stays NaN and does not count as a test.

    References
    ----------
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 6 (1979) 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    return _adjust(p_values, step_up=False)


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjust so that the expected share of false findings among all findings is at most the level.

    It holds for independent columns and for those that depend positively on each other. When
    nothing changed at all, every finding is false, and the chance of any is at most the level too.

    Parameters
    ----------
    p_values
        In ``[0, 1]``, shape ``(columns,)``; NaN where a column was not tested.

    Returns
    -------
    ndarray of float64
        In the order given; NaN stays NaN and does not count as a test.

    References
    ----------
    Y. Benjamini and Y. Hochberg, "Controlling the False Discovery Rate: A Practical and Powerful
    Approach to Multiple Testing", Journal of the Royal Statistical Society B 57 (1995) 289-300.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.04, 0.04]
    """
    return _adjust(p_values, step_up=True)


def _adjust(p_values: ArrayLike, *, step_up: bool) -> Floats:
    values = np.asarray(p_values, dtype=np.float64)
    if ((values < 0) | (values > 1)).any():
        raise ValueError("expected p-values between 0 and 1")
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    ranks = np.arange(1, len(order) + 1)
    if step_up:
        scaled = np.minimum.accumulate((values[order] * len(order) / ranks)[::-1])[::-1]
    else:
        scaled = np.maximum.accumulate(values[order] * (len(order) - ranks + 1))
    adjusted[order] = np.minimum(scaled, 1.0)
    return adjusted
