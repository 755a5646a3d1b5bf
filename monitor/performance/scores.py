"""The fixed fine grid on which scores of a binary model are counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Width of a bin in the middle of the grid, and in either tail; powers of two, so that the bin of a
#: score is computed without rounding and is the same in every engine.
STEP = 1 / 1024
TAIL_STEP = 1 / 16384
#: Scores below this, and above one minus this, are counted in the finer bins.
TAIL = 1 / 64
#: Bins in one tail, and in the middle between the tails.
TAIL_BINS = 256
MIDDLE_BINS = 992
BINS = TAIL_BINS + MIDDLE_BINS + TAIL_BINS


def bin_of(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin of each score.

    Parameters
    ----------
    scores
        Probabilities in ``[0, 1]``.

    Returns
    -------
    numpy.ndarray
        Bin numbers in ``[0, BINS)``; every bin holds its lower edge, the last one also 1.

    Examples
    --------
    >>> bin_of(np.array([0.0, 1 / 64, 0.5, 1.0])).tolist()
    [0, 256, 752, 1503]
    """
    low = np.floor(scores / TAIL_STEP)
    middle = TAIL_BINS + np.floor((scores - TAIL) / STEP)
    high = TAIL_BINS + MIDDLE_BINS + np.floor((scores - (1 - TAIL)) / TAIL_STEP)
    number = np.where(scores < TAIL, low, np.where(scores < 1 - TAIL, middle, high))
    return np.minimum(number, BINS - 1).astype(np.int64)


def edges() -> NDArray[np.float64]:
    """Return the ``BINS + 1`` edges, from 0 to 1.

    Examples
    --------
    >>> (edges().size == BINS + 1, float(edges()[-1]))
    (True, 1.0)
    """
    low = np.arange(TAIL_BINS) * TAIL_STEP
    middle = TAIL + np.arange(MIDDLE_BINS) * STEP
    high = (1 - TAIL) + np.arange(TAIL_BINS + 1) * TAIL_STEP
    return np.concatenate([low, middle, high])


def midpoints() -> NDArray[np.float64]:
    """Return the middle of each bin; no score of a bin is farther from it than half a step."""
    bounds = edges()
    return (bounds[1:] + bounds[:-1]) / 2
