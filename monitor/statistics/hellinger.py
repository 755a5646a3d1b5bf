"""Hellinger distance of two histograms."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from monitor.statistics.counts import shares


def hellinger(reference: ArrayLike, current: ArrayLike) -> float:
    r"""Return :math:`\sqrt{\tfrac12 \sum_i (\sqrt{p_i} - \sqrt{q_i})^2}`.

    Parameters
    ----------
    reference, current
        Rows per bin, shape ``(bins,)``; the same bins in the same order.

    Returns
    -------
    float
        In ``[0, 1]``; 1 when no bin is common.

    Examples
    --------
    >>> hellinger([1, 1], [1, 1]), hellinger([1, 0], [0, 1])
    (0.0, 1.0)

    ``1 - (sqrt(0.5 * 0.1) + sqrt(0.5 * 0.9)) = 0.105573`` is its square here:

    >>> round(hellinger([5, 5], [1, 9]) ** 2, 6)
    0.105573
    """
    first, second = shares(reference, current)
    return math.sqrt(float(((np.sqrt(first) - np.sqrt(second)) ** 2).sum()) / 2)
