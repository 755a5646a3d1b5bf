"""Exact chances of rare counts, for findings that must not be false alarms."""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc, gammaln, logsumexp

from monitor.statistics.chi_square import pearson

_MOST_TERMS = 200_000


def more_in_current(n_reference: int, n_current: int, reference: int, current: int) -> float:
    """Return the chance that the current table holds so many marked rows, or more, by lot.

    All marked rows of both tables are dealt out without regard to the table (Fisher's exact test,
    one-sided); half of chi-square's tail where there are very many.

    Examples
    --------
    One marked row of two in all falls into the current table with chance one half:

    >>> round(more_in_current(1, 1, 0, 1), 6)
    0.5
    """
    marked = reference + current
    if current * (n_reference + n_current) <= marked * n_current:
        return 1.0
    if min(marked, n_current) - current > _MOST_TERMS:
        table = np.array([n_reference - reference, reference])
        other = np.array([n_current - current, current])
        return float(chdtrc(1, pearson(table, other))) / 2
    counts = np.arange(current, min(marked, n_current) + 1)
    logs = (
        _log_choose(marked, counts)
        + _log_choose(n_reference + n_current - marked, n_current - counts)
        - _log_choose(n_reference + n_current, n_current)
    )
    return min(float(np.exp(logsumexp(logs))), 1.0)


def outside_range(n_reference: int, n_current: int, outside: int) -> float:
    """Return the chance that so many current rows, or more, leave the reference's range.

    Without a change, the share of rows outside the range of n values is Beta(2, n - 1), whatever
    their distribution.

    Examples
    --------
    Two values make three gaps; a third one falls outside with chance two thirds:

    >>> round(outside_range(2, 1, 1), 6)
    0.666667
    """
    if outside == 0 or n_reference < 2:
        return 1.0
    if outside > _MOST_TERMS:
        return 0.0 if outside > 100 * n_current / n_reference else 1.0
    inside = np.arange(outside)
    logs = (
        _log_choose(n_current, inside)
        + _log_beta(inside + 2, n_current - inside + n_reference - 1)
        - _log_beta(np.array(2), np.array(n_reference - 1))
    )
    return max(1.0 - float(np.exp(logsumexp(logs))), 0.0)


def all_in_current(n_reference: int, n_current: int, rows: int) -> float:
    """Return the chance that ``rows`` given rows all fall into the current table.

    Examples
    --------
    >>> round(all_in_current(2, 2, 2), 6)  # 2/4 * 1/3
    0.166667
    """
    if rows > n_current:
        return 0.0
    total = np.array(n_reference + n_current)
    return float(
        np.exp(_log_choose(n_current, np.array(rows)) - _log_choose(total, np.array(rows)))
    )


def _log_choose(n: np.ndarray | int, k: np.ndarray | int) -> np.ndarray:
    n, k = np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        value = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.where((k < 0) | (k > n), -np.inf, value)


def _log_beta(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return np.asarray(gammaln(a) + gammaln(b) - gammaln(a + b))
