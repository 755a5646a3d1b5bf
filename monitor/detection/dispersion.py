"""How much more the losses of whole windows vary than those of independent rows would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

Floats = NDArray[np.float64]

#: What the dispersion exceeds 1 by is estimated by is raised to this one-sided confidence bound.
CONFIDENCE = 0.5


def dispersion(residuals: Floats, independent: float, reaches: Sequence[int]) -> float:
    """Return the variance of sums over neighbouring units against that of independent rows.

    For each reach, the autocovariances at lags below it count with 1 − lag / reach (Bartlett's
    weights; Newey & West 1987), which is the variance of a sum over so many neighbours. The
    largest is taken, at an upper confidence bound of the part that exceeds 1: independent rows
    need none.

    Parameters
    ----------
    residuals
        Summed loss of each unit of time less what is expected of its rows, in order of time.
    independent
        Sum over all units of the variance that independent rows would give.
    reaches
        Units to sum over; longer ones than a quarter of the units are cut to that.

    Returns
    -------
    float
        At least 1.

    References
    ----------
    Newey, W. K. & West, K. D. (1987). A simple, positive semi-definite, heteroskedasticity and
    autocorrelation consistent covariance matrix. Econometrica 55(3), 703–708.

    Examples
    --------
    >>> alike = np.array([3.0, 3.0, -3.0, -3.0] * 4)
    >>> round(dispersion(alike, independent=36.0, reaches=[1]), 2)
    4.42
    """
    units = len(residuals)
    if independent <= 0 or units < 2:
        return 1.0
    largest = 1.0
    for reach in {max(1, min(reach, units // 4)) for reach in reaches}:
        # Taking the mean off the units makes their sums too alike by so much.
        found = _variance(residuals, reach) / independent * units / (units - reach)
        largest = max(largest, _upper(found, units / reach - 1))
    return largest


def _variance(residuals: Floats, reach: int) -> float:
    total = float((residuals**2).sum())
    for lag in range(1, reach):
        total += 2 * (1 - lag / reach) * float((residuals[lag:] * residuals[:-lag]).sum())
    return total


def _upper(found: float, degrees: float) -> float:
    return 1 + (found - 1) * degrees / float(chdtri(degrees, CONFIDENCE))
