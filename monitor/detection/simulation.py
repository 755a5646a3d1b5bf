"""Many periods at once: paths drawn from the past, and the pages that a detector makes of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from monitor.detection.detector import HARMS, MOST

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def draw_paths(
    generator: np.random.Generator, *, units: int, length: int, paths: int, block: float
) -> Integers:
    """Return indices of units, shape ``(paths, length)``, in blocks of geometric length.

    The stationary bootstrap of Politis & Romano (1994): at each step a path goes on to the next
    unit, the first one after the last, or with chance 1 / block to any.
    """
    jumps = generator.random((paths, length)) < 1 / block
    drawn = generator.integers(0, units, (paths, length))
    at = drawn[:, 0]
    found = np.empty((paths, length), dtype=np.int64)
    for step in range(length):
        at = np.where(jumps[:, step], drawn[:, step], (at + 1) % units)
        found[:, step] = at
    return found


def runs(
    gained: Floats, beyond: NDArray[np.bool_], *, threshold: float, clear_windows: int
) -> tuple[Integers, Integers]:
    """Let a detector run along many paths, with the rules of ``advance``.

    Parameters
    ----------
    gained
        ln E of each bet in each window, shape ``(paths, windows, len(HARMS))``.
    beyond
        Whether each window's own value is beyond the limit, shape ``(paths, windows)``.

    Returns
    -------
    tuple
        Alarms of each path, and the number of windows to its first; 0 without one.
    """
    paths, windows = beyond.shape
    enough = math.log(threshold)
    memory = np.zeros((paths, len(HARMS)))
    alarmed = np.zeros(paths, dtype=bool)
    clear, pages, first = (np.zeros(paths, dtype=np.int64) for _ in range(3))
    for window in range(windows):
        grown = memory + gained[:, window]
        value = np.logaddexp.reduce(grown, axis=1) - math.log(len(HARMS))
        clear = np.where(alarmed & ~beyond[:, window], clear + 1, 0)
        over = alarmed & (clear >= clear_windows) & (value < 0)
        fresh = ~alarmed & beyond[:, window] & (value >= enough)
        pages += fresh
        first = np.where(fresh & (first == 0), window + 1, first)
        before, alarmed = alarmed, (alarmed | fresh) & ~over
        memory = np.where(before[:, None], grown, np.logaddexp(0.0, grown))
        memory = np.minimum(memory, np.where(alarmed, enough, MOST)[:, None])
        memory[over], clear[over] = 0.0, 0
    return pages, first
