"""What the models of a fleet do together, as one stream of evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def common_gain(gained: Sequence[Floats], models: int) -> Floats:
    """Return the logarithm of what a unit becomes in a window when all models are bet on alike.

    Each model's bet is fair while its own loss is within its limit, so their mean is fair while
    all are, however alike they are: the mean is the one way to merge evidence that asks nothing
    of how it depends on each other (Vovk & Wang 2021). Where all have become worse, it grows as
    fast as that of one of them, and needs to reach a threshold that is not divided by their
    number.

    Parameters
    ----------
    gained
        ln E of each bet for the models that have the window, each of shape ``(bets,)``.
    models
        All models; those without the window bet nothing and count as 1.

    References
    ----------
    Vovk, V. & Wang, R. (2021). E-values: calibration, combination and applications. Annals of
    Statistics 49(3), 1736–1754.

    Examples
    --------
    Two of four models double their unit, two do not take part: (2 + 2 + 1 + 1) / 4.

    >>> np.exp(common_gain([np.log([2.0]), np.log([2.0])], 4)).round(6).tolist()
    [1.5]
    """
    absent = models - len(gained)
    parts = [*gained] + ([np.full_like(gained[0], np.log(absent))] if absent else [])
    return np.asarray(np.logaddexp.reduce(parts, axis=0) - np.log(models))


def common_harm(harms: Sequence[float]) -> float:
    """Return by how much the middle model is worse than its reference.

    Parameters
    ----------
    harms
        Of each model, in units of what it tolerates; NaN where its window has no value.

    Examples
    --------
    >>> common_harm([0.1, float("nan"), 3.0, 0.5])
    0.5
    """
    known = np.asarray(harms, dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if known.size else float("nan")
