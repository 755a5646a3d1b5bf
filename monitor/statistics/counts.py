"""What every statistic takes: rows per bin of two tables over the same bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def paired(reference: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats]:
    """Return two histograms as float64, checked.

    Raises
    ------
    ValueError
        They are not one-dimensional, differ in length, hold a negative or non-finite count, or
        one of them holds no rows at all.

    Examples
    --------
    >>> paired([1, 2], [3, 4])
    (array([1., 2.]), array([3., 4.]))
    >>> paired([1, 2], [3])
    Traceback (most recent call last):
        ...
    ValueError: histograms differ in shape: (2,) and (1,)
    """
    first: NDArray[Any] = np.asarray(reference, dtype=np.float64)
    second: NDArray[Any] = np.asarray(current, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"histograms differ in shape: {first.shape} and {second.shape}")
    for name, counts in (("reference", first), ("current", second)):
        # Nearly always all is well, and the extremes alone tell.
        if counts.size and counts.min() >= 0 and 0 < counts.max() < np.inf:
            continue
        if not np.isfinite(counts).all() or (counts < 0).any():
            raise ValueError(f"expected counts of 0 or more in the {name} histogram")
        if counts.sum() == 0:
            raise ValueError(f"the {name} histogram holds no rows")
    return first, second


def shares(reference: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats]:
    """Return two histograms as shares of their own rows.

    Examples
    --------
    >>> shares([1, 3], [2, 2])
    (array([0.25, 0.75]), array([0.5, 0.5]))
    """
    first, second = paired(reference, current)
    return first / first.sum(), second / second.sum()
