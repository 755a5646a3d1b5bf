"""How much windows vary when nothing is wrong, learned from the windows of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from monitor.statistics.chi_square import pearson

#: With fewer comparable windows their variation is called unknown.
MINIMUM_WINDOWS = 8
#: A column's own variation counts as this many windows' worth against what columns share.
_SHRINKAGE = 8
#: Fewer than one: most windows are alike and a few, such as days of fog, are quite different.
_LEAST_DIRECTIONS = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Variation:
    """How the bins of one column vary between windows, beyond what independent rows would do.

    Parameters
    ----------
    windows
        Disjoint windows it was learned from.
    effective
        How many independent windows they are worth; neighbours are alike.
    extra
        Variance between windows, in units of that of a single row; at least 0.
    directions
        In how many independent ways the bins vary: one when a level goes up and down, as many as
        there are bins less one for independent rows.
    """

    windows: int
    effective: float
    extra: float
    directions: float

    @property
    def known(self) -> bool:
        """Whether there were windows enough."""
        return self.windows >= MINIMUM_WINDOWS

    @property
    def degrees(self) -> float:
        """Degrees of freedom of the estimate."""
        return max(self.effective - 1, 1.0)

    def p_value(self, statistic: float, *, cells: int, n_reference: int, n_current: int) -> float:
        """Return the chance that a usual window has at least this Pearson statistic.

        Parameters
        ----------
        cells
            Bins that were compared, at least 2.

        Examples
        --------
        >>> usual = Variation(windows=30, effective=30.0, extra=0.0, directions=4.0)
        >>> round(usual.p_value(9.49, cells=5, n_reference=10**6, n_current=500), 2)
        0.08
        """
        ratio = statistic / ((cells - 1) * self.inflation(n_reference, n_current))
        return float(fdtrc(min(self.directions, cells - 1), self.degrees, ratio))

    def inflation(self, n_reference: int, n_current: int) -> float:
        """Return by how much Pearson's statistic exceeds its degrees of freedom without a change.

        Examples
        --------
        >>> usual = Variation(windows=30, effective=20.0, extra=0.01, directions=9.0)
        >>> round(usual.inflation(10**9, 400), 3)
        5.0
        """
        return 1 + self.extra / (1 / n_reference + 1 / n_current)

    def to_dict(self) -> dict[str, Any]:
        """Return the variation as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(**data)


def learn(windows: NDArray[np.int64], seasons: NDArray[np.int64] | None = None) -> Variation:
    """Learn the variation of one column from its counts in disjoint windows, in order of time.

    Each window is compared with all the others of its season together by Pearson's two-sample
    statistic. Over its degrees of freedom that is 1 on average for independent rows, and
    ``1 + extra / (1 / n + 1 / m)`` when the shares themselves vary between windows: the
    over-dispersion of quasi-likelihood (McCullagh & Nelder 1989), with a variance that does not
    shrink with the rows of a window (Williams 1982). How the statistics scatter about their mean
    gives the number of directions, by matching two moments (Satterthwaite 1946). Neighbouring
    windows that resemble each other count as fewer. Seasons have few windows each, so all share
    one variation about their own shares.

    Parameters
    ----------
    windows
        Rows per window and bin, shape ``(windows, bins)``.
    seasons
        The season of each window, shape ``(windows,)``; by default all have the same.

    References
    ----------
    P. McCullagh and J. A. Nelder, "Generalized Linear Models", 2nd edition, 1989.
    D. A. Williams, "Extra-Binomial Variation in Logistic Linear Models", Applied Statistics 31
    (1982) 144-148.
    F. E. Satterthwaite, "An Approximate Distribution of Estimates of Variance Components",
    Biometrics Bulletin 2 (1946) 110-114.

    Examples
    --------
    Windows that do not differ at all have no variation of their own:

    >>> learn(np.tile([50, 50], (10, 1))).extra
    0.0

    Nor have those that differ only as their seasons do:

    >>> learn(np.tile([[50, 50], [90, 10]], (10, 1)), np.tile([0, 1], 10)).extra
    0.0
    """
    counts, usual = _comparable(windows, seasons)
    rest = usual - counts
    cells = np.count_nonzero(usual, axis=1)
    if len(counts) < 2 or not cells.size or cells.max() < 2:
        return Variation(
            windows=len(counts), effective=float(len(counts)), extra=0.0, directions=1.0
        )
    judged = cells > 1
    ratio = pearson(rest, counts)[judged] / (cells[judged] - 1)
    unit = (1 / counts.sum(axis=1) + 1 / rest.sum(axis=1))[judged]
    correlation = _autocorrelation(counts, usual)
    return Variation(
        windows=len(counts),
        effective=len(counts) * (1 - correlation) / (1 + correlation),
        extra=max(float(np.mean((ratio - 1) * unit)), 0.0),
        directions=_directions(ratio, int(cells.max())),
    )


def _comparable(
    windows: NDArray[np.int64], seasons: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the windows that others can be held against, and the sums of their seasons."""
    filled = windows.sum(axis=1) > 0
    counts = windows[filled][:, windows.sum(axis=0) > 0]
    named = np.zeros(len(counts)) if seasons is None else seasons[filled]
    _, place, size = np.unique(named, return_inverse=True, return_counts=True)
    sums = np.zeros((len(size), counts.shape[1]), dtype=np.int64)
    np.add.at(sums, place, counts)
    kept = size[place] > 1
    return counts[kept], sums[place][kept]


def shrink(variations: Sequence[Variation]) -> list[Variation]:
    """Draw the columns' variations towards their median, the more the fewer windows there were.

    Examples
    --------
    >>> one = Variation(windows=8, effective=8.0, extra=0.0, directions=9.0)
    >>> each = [replace(one, extra=extra) for extra in (0.0, 0.1, 0.2)]
    >>> [round(variation.extra, 3) for variation in shrink(each)]
    [0.05, 0.1, 0.15]
    """
    if not variations:
        return []
    middle = median(variation.extra for variation in variations)
    return [
        replace(
            variation,
            extra=(variation.windows * variation.extra + _SHRINKAGE * middle)
            / (variation.windows + _SHRINKAGE),
        )
        for variation in variations
    ]


def _directions(ratio: NDArray[np.float64], cells: int) -> float:
    """Return the degrees of freedom of the scaled chi-square that scatters as the ratios do."""
    spread = float(ratio.var(ddof=1))
    if spread == 0:
        return float(cells - 1)
    return min(max(2 * float(ratio.mean()) ** 2 / spread, _LEAST_DIRECTIONS), float(cells - 1))


def _autocorrelation(counts: NDArray[np.int64], usual: NDArray[np.int64]) -> float:
    """Return the correlation of neighbouring windows' shares, in ``[0, 0.95]``."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    overall = usual / usual.sum(axis=1, keepdims=True)
    away = (shares - overall) / np.sqrt(np.where(overall > 0, overall, 1.0))
    spread = float((away**2).sum())
    if spread == 0:
        return 0.0
    neighbours = float((away[1:] * away[:-1]).sum())
    return min(max(neighbours / spread, 0.0), 0.95)
