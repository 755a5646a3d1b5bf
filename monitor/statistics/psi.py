"""Population stability index: the symmetrised Kullback-Leibler divergence of two histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from monitor.statistics.counts import Floats, paired


def psi(reference: ArrayLike, current: ArrayLike, *, pseudo_count: float = 0.5) -> float:
    r"""Return :math:`\sum_i (p_i - q_i) \ln (p_i / q_i)`.

    The quantity is the divergence J of Kullback and Leibler; credit scoring calls it PSI and reads
    0.1 as a moderate and 0.25 as a large change. Without any change its expectation is about
    ``(bins - 1) * (1 / n_reference + 1 / n_current)``, so small tables look as if they had drifted;
    :func:`monitor.statistics.interval.psi_effect` takes that away.

    Parameters
    ----------
    reference, current
        Rows per bin, shape ``(bins,)``; the same bins in the same order.
    pseudo_count
        Rows added to every bin of both histograms, so that an empty bin has a finite weight;
        0.5 is Jeffreys' prior, 0 makes the result infinite where only one side is empty.

    Returns
    -------
    float
        In nats, in ``[0, inf]``; 0 exactly when the smoothed shares are equal.

    Raises
    ------
    ValueError
        The histograms do not match, are empty, or ``pseudo_count`` is negative.

    References
    ----------
    S. Kullback and R. A. Leibler, "On Information and Sufficiency", Annals of Mathematical
    Statistics 22 (1951) 79-86.

    Examples
    --------
    >>> psi([50, 50], [50, 50])
    0.0

    Without smoothing, ``(0.5 - 0.25) * ln(2) + (0.5 - 0.75) * ln(2 / 3) = 0.25 * ln(3)``:

    >>> round(psi([2, 2], [1, 3], pseudo_count=0), 6), round(0.25 * np.log(3), 6).item()
    (0.274653, 0.274653)
    """
    first, second = smoothed(reference, current, pseudo_count=pseudo_count)
    both_empty = (first == 0) & (second == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = (first - second) * (np.log(first) - np.log(second))
    return float(np.where(both_empty, 0.0, terms).sum())


def smoothed(
    reference: ArrayLike, current: ArrayLike, *, pseudo_count: float
) -> tuple[Floats, Floats]:
    """Return the shares of two histograms after ``pseudo_count`` rows were added to every bin.

    Examples
    --------
    >>> smoothed([1, 0], [1, 1], pseudo_count=1.0)
    (array([0.66666667, 0.33333333]), array([0.5, 0.5]))
    """
    if not pseudo_count >= 0:
        raise ValueError(f"expected a pseudo_count of 0 or more, got {pseudo_count}")
    first, second = paired(reference, current)
    first, second = first + pseudo_count, second + pseudo_count
    return first / first.sum(), second / second.sum()
