"""How large a change is, without what chance alone adds, and between which bounds it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chndtr, chndtrinc

from monitor.statistics.psi import smoothed


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """The size of a change.

    Parameters
    ----------
    value
        The plain statistic.
    effect
        The statistic less its expectation without any change, at least 0.
    lower, upper
        Interval for the true size; ``upper`` is never below the plain statistic.
    """

    value: float
    effect: float
    lower: float
    upper: float


def psi_effect(
    reference: ArrayLike,
    current: ArrayLike,
    *,
    level: float = 0.95,
    pseudo_count: float = 0.5,
) -> Effect:
    r"""Return the population stability index with its interval.

    Near no change, ``psi / (1 / n + 1 / m)`` is noncentral chi-square with (bins - 1) degrees and
    noncentrality ``true psi / (1 / n + 1 / m)``; the interval inverts that. Farther away its
    variance is larger, by the ratio of the delta-method variance to the one of the noncentral
    chi-square; the scale is widened by that ratio.

    Parameters
    ----------
    reference, current
        Rows per bin, shape ``(bins,)``; bins that are empty in both are left out.
    level
        Coverage of the interval, in ``(0, 1)``.

    Examples
    --------
    Nothing moved, so the interval starts at zero:

    >>> same = psi_effect([100, 100], [100, 100])
    >>> same.value, same.effect, same.lower
    (0.0, 0.0, 0.0)

    A large change of large tables, of which chance explains only 0.002:

    >>> large = psi_effect([900, 100], [100, 900])
    >>> round(large.value, 3), round(large.effect, 3), large.lower < 3.4 < large.upper
    (3.505, 3.503, True)
    """
    first, second = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    filled = (first > 0) | (second > 0)
    p, q = smoothed(first[filled], second[filled], pseudo_count=pseudo_count)
    n, m, degrees = float(first.sum()), float(second.sum()), len(p) - 1
    if degrees == 0:
        return Effect(value=0.0, effect=0.0, lower=0.0, upper=0.0)
    logs = np.log(p / q)
    value = float(((p - q) * logs).sum())
    unit = 1 / n + 1 / m
    effect = max(value - degrees * unit, 0.0)
    slope_p, slope_q = logs + 1 - q / p, -logs + 1 - p / q
    variance = _variance(p, slope_p) / n + _variance(q, slope_q) / m
    scale = unit * max(1.0, variance / (4 * value * unit)) if value > 0 else unit
    seen = (value - degrees * unit) / scale + degrees
    tail = (1 - level) / 2
    return Effect(
        value=value,
        effect=effect,
        lower=min(_noncentrality(seen, degrees, 1 - tail) * scale, effect),
        upper=max(_noncentrality(seen, degrees, tail) * scale, value),
    )


def _variance(shares: np.ndarray[tuple[int], np.dtype[np.float64]], slope: ArrayLike) -> float:
    slopes = np.asarray(slope)
    return float((shares * slopes**2).sum() - (shares * slopes).sum() ** 2)


def _noncentrality(seen: float, degrees: int, probability: float) -> float:
    """Return the noncentrality under which ``seen`` has the given lower probability, at least 0."""
    if seen <= 0 or chndtr(seen, degrees, 0) <= probability:
        return 0.0
    return float(chndtrinc(seen, degrees, probability))
