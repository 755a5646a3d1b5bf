"""The distances by name: adding one is a file with a function, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from numpy.typing import ArrayLike

from monitor.statistics.chi_square import chi_square
from monitor.statistics.hellinger import hellinger
from monitor.statistics.jensen_shannon import jensen_shannon
from monitor.statistics.kolmogorov_smirnov import kolmogorov_smirnov
from monitor.statistics.l_infinity import l_infinity
from monitor.statistics.psi import psi
from monitor.statistics.wasserstein import wasserstein
from watchkeeper.schema import ColumnKind

_ORDERED = frozenset({ColumnKind.NUMERICAL, ColumnKind.DATETIME, ColumnKind.TEXT})
_ALL = frozenset(ColumnKind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistic:
    """A distance between two histograms.

    Parameters
    ----------
    function
        Takes the reference's and the current counts, then the bounds of the bins where
        ``needs_bounds``.
    kinds
        Kinds of column for which it means something.
    bound
        The smallest change that matters; None for a statistic that grows with the number of rows.
    """

    function: Callable[..., float]
    kinds: frozenset[ColumnKind]
    bound: float | None
    needs_bounds: bool = False

    def __call__(
        self, reference: ArrayLike, current: ArrayLike, bounds: ArrayLike | None = None
    ) -> float:
        """Return the distance."""
        if self.needs_bounds:
            return self.function(reference, current, bounds)
        return self.function(reference, current)


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "psi": Statistic(function=psi, kinds=_ALL, bound=0.1),
        "jensen_shannon": Statistic(function=jensen_shannon, kinds=_ALL, bound=0.1),
        "hellinger": Statistic(function=hellinger, kinds=_ALL, bound=0.1),
        "l_infinity": Statistic(function=l_infinity, kinds=_ALL, bound=0.1),
        "chi_square": Statistic(function=chi_square, kinds=_ALL, bound=None),
        "kolmogorov_smirnov": Statistic(function=kolmogorov_smirnov, kinds=_ORDERED, bound=0.1),
        "wasserstein": Statistic(
            function=wasserstein, kinds=_ORDERED, bound=0.1, needs_bounds=True
        ),
    }
)
