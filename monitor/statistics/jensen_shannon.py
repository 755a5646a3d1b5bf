"""Jensen-Shannon distance of two histograms."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike
from scipy.special import rel_entr

from monitor.statistics.counts import shares


def jensen_shannon(reference: ArrayLike, current: ArrayLike) -> float:
    r"""Return the square root of the Jensen-Shannon divergence, in nats.

    With :math:`m = (p + q) / 2`, the divergence is :math:`(K(p, m) + K(q, m)) / 2`, where
    :math:`K` is the Kullback-Leibler divergence. Its square root is a metric. For small changes it
    is close to ``sqrt(psi / 8)``.

    Parameters
    ----------
    reference, current
        Rows per bin, shape ``(bins,)``; the same bins in the same order.

    Returns
    -------
    float
        In ``[0, sqrt(ln 2)]``, that is up to 0.8326; empty bins need no smoothing.

    References
    ----------
    D. M. Endres and J. E. Schindelin, "A new metric for probability distributions", IEEE
    Transactions on Information Theory 49 (2003) 1858-1860.

    Examples
    --------
    Histograms without a common bin are as far apart as can be:

    >>> round(jensen_shannon([5, 0], [0, 7]) ** 2, 6), round(math.log(2), 6)
    (0.693147, 0.693147)
    """
    first, second = shares(reference, current)
    middle = (first + second) / 2
    divergence = (rel_entr(first, middle).sum() + rel_entr(second, middle).sum()) / 2
    return math.sqrt(max(float(divergence), 0.0))
