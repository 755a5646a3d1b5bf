"""The smallest change that a comparison could have seen."""

from __future__ import annotations

import math

from scipy.special import chdtri, chndtrinc


def minimum_detectable_effect(
    n_reference: int, n_current: int, cells: int, *, alpha: float, power: float = 0.8
) -> float:
    """Return the population stability index that is found with the given power.

    It is ``noncentrality * (1 / n_reference + 1 / n_current)``, with the noncentrality at which
    chi-square with (cells - 1) degrees exceeds its critical value with probability ``power``.

    Parameters
    ----------
    n_reference, n_current
        Rows of either table.
    cells
        Bins that were compared; a single bin is treated as two, for there is no smaller test.
    alpha
        Level of the single test, for example 0.05 divided by the number of columns.
    power
        Chance of finding the effect, in ``(alpha, 1)``.

    Returns
    -------
    float
        In the unit of the index, nats; infinite when either table is empty.

    Examples
    --------
    Ten bins, 1,000 rows each, one column: the noncentrality is 15.63.

    >>> round(minimum_detectable_effect(1_000, 1_000, 10, alpha=0.05), 4)
    0.0313
    """
    if not 0 < alpha < power < 1:
        raise ValueError(f"expected 0 < alpha < power < 1, got alpha={alpha}, power={power}")
    if min(n_reference, n_current) <= 0:
        return math.inf
    degrees = max(cells, 2) - 1
    noncentrality = chndtrinc(chdtri(degrees, alpha), degrees, 1 - power)
    return float(noncentrality) * (1 / n_reference + 1 / n_current)


def psi_to_jensen_shannon(psi: float) -> float:
    """Return the Jensen-Shannon distance, in nats, of a small change of that index.

    Examples
    --------
    >>> round(psi_to_jensen_shannon(0.08), 6)
    0.1
    """
    return math.sqrt(psi / 8)
