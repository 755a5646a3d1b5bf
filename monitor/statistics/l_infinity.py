"""L-infinity distance: the largest change of any one share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from monitor.statistics.counts import shares


def l_infinity(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the largest absolute difference between the shares of one bin.

    Parameters
    ----------
    reference, current
        Rows per bin, shape ``(bins,)``; the same bins in the same order.

    Returns
    -------
    float
        In ``[0, 1]``.

    Examples
    --------
    >>> l_infinity([2, 2, 0], [1, 2, 1])
    0.25
    """
    first, second = shares(reference, current)
    return float(np.abs(first - second).max())
