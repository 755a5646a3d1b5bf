"""How many decimals numbers are written with: a sign of their unit and of lost precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Stands for values that need this many decimals or more.
MANY = 7
#: Of values with many decimals, those with at most this many are coarse.
COARSE = 3
_NEARLY_ALL = 0.999
#: How far a scaled value may lie from the whole number that it stands for, absolutely and beside.
SLACK = 1e-6
RELATIVE_SLACK = 4 * float(np.finfo(np.float64).eps)

Values = NDArray[np.float64]


def decimals_of(values: Values) -> int:
    """Return how many decimals hold nearly all values, from 0 to ``MANY``.

    Examples
    --------
    >>> decimals_of(np.array([1.25, 3.0, 2.5])), decimals_of(np.array([np.pi]))
    (2, 7)
    """
    for decimals in range(MANY):
        if has_decimals(values, decimals).mean() >= _NEARLY_ALL:
            return decimals
    return MANY


def has_decimals(values: Values, decimals: int) -> NDArray[np.bool_]:
    """Return which finite values need at most so many decimals, up to the rounding of floats.

    Examples
    --------
    >>> has_decimals(np.array([0.1 + 0.2, 0.25]), 1).tolist()
    [True, False]
    """
    scaled = values * 10.0**decimals
    return np.asarray(np.abs(scaled - np.round(scaled)) <= SLACK + RELATIVE_SLACK * np.abs(scaled))


def coarse_decimals(decimals: int) -> int:
    """Return how many decimals a value has at most that lost some; negative when none can be lost.

    Examples
    --------
    >>> [coarse_decimals(decimals) for decimals in (0, 2, MANY)]
    [-1, 1, 3]
    """
    return COARSE if decimals >= MANY else decimals - 1
