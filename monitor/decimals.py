"""How many decimals numbers are written with: a sign of their unit and of lost precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Stands for values that need this many decimals or more.
MANY = 7
#: Of values with many decimals, those with at most this many are coarse.
COARSE = 3
_NEARLY_ALL = 0.999
#: How far a scaled value may lie from a whole number: absolutely, and as a part of the largest.
SLACK = 1e-6
DOUBLE_SLACK = 4 * float(np.finfo(np.float64).eps)
SINGLE_SLACK = float(np.finfo(np.float32).eps)
#: With more slack than this, nearly any value would pass for a decimal number.
_MOST_SLACK = 0.02

Values = NDArray[np.float64]


def decimals_of(values: Values) -> int:
    """Return how many decimals hold nearly all values, from 0 to ``MANY``.

    Examples
    --------
    >>> decimals_of(np.array([1.25, 3.0, 2.5])), decimals_of(np.array([np.pi]))
    (2, 7)
    >>> decimals_of(np.array([1.1, 2.7], dtype=np.float32).astype(np.float64))
    1
    """
    single = is_single(values)
    for decimals in range(MANY):
        if slack(values, decimals, single=single) > _MOST_SLACK:
            break
        if has_decimals(values, decimals, single=single).mean() >= _NEARLY_ALL:
            return decimals
    return MANY


def is_single(values: Values) -> bool:
    """Return whether the values have been floats of 32 bits, which round decimals off early.

    Examples
    --------
    >>> is_single(np.array([0.1])), is_single(np.array([np.float32(0.1)], dtype=np.float64))
    (False, True)
    """
    with np.errstate(over="ignore"):
        return bool((values.astype(np.float32) == values).all())


def has_decimals(values: Values, decimals: int, *, single: bool = False) -> NDArray[np.bool_]:
    """Return which finite values need at most so many decimals, up to the rounding of floats.

    Examples
    --------
    >>> has_decimals(np.array([0.1 + 0.2, 0.25]), 1).tolist()
    [True, False]
    """
    if len(values) == 0:
        return np.empty(0, dtype=np.bool_)
    scaled = values * 10.0**decimals
    return np.asarray(np.abs(scaled - np.round(scaled)) <= slack(values, decimals, single=single))


def slack(values: Values, decimals: int, *, single: bool) -> float:
    """Return how far scaled values may lie from whole numbers that they stand for."""
    largest = float(np.abs(values).max()) if len(values) else 0.0
    return SLACK + (SINGLE_SLACK if single else DOUBLE_SLACK) * largest * 10.0**decimals


def coarse_decimals(decimals: int) -> int:
    """Return how many decimals a value has at most that lost some; negative when none can be lost.

    Examples
    --------
    >>> [coarse_decimals(decimals) for decimals in (0, 2, MANY)]
    [-1, 1, 3]
    """
    return COARSE if decimals >= MANY else decimals - 1
