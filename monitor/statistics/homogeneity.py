"""Test whether two tables come from one distribution, with the null that fits how bins were made.

Bins are grouped into segments. Bounds of a segment do not depend on the reference's rows: a
category, "missing", a value so frequent that it has a bin of its own. Edges inside a segment are
order statistics of the reference, and the reference's counts between them were fixed by that
choice; taking them for a random sample makes chi-square wrong in small tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from monitor.statistics.chi_square import pearson
from monitor.statistics.counts import Counts, Floats

#: Chi-square holds where every bin expects at least so many rows of either table.
MINIMUM_EXPECTED = 10
#: ... and, where edges are order statistics, the reference has at least so many between two edges.
MINIMUM_SPACING = 100
DRAWS = 1_999
#: Enough draws to see that a p-value is nowhere near significant, and what counts as that.
_FIRST_DRAWS = 199
_PLAIN = 0.2
_CHUNK = 2_000_000
#: Larger tables cannot be drawn from without replacement; they have no small counts to speak of.
_LARGEST = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Rows per bin between two fixed bounds.

    Parameters
    ----------
    reference, current
        Shape ``(bins,)``. With more than one bin, the inner edges are order statistics of the
        reference.
    """

    reference: Counts
    current: Counts

    @property
    def totals(self) -> tuple[int, int]:
        """Rows of the reference and of the current table."""
        return int(self.reference.sum()), int(self.current.sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a test of homogeneity found.

    Parameters
    ----------
    statistic
        Pearson's, between segments plus within them.
    cells
        Bins that are filled in either table.
    p_value
        Chance of a statistic at least as large without any change, in ``(0, 1]``.
    exceedances, draws
        Simulated statistics at least as large, of how many; 0 of 0 where chi-square was used.
    """

    statistic: float
    cells: int
    p_value: float
    exceedances: int = 0
    draws: int = 0


def given_bins(reference: Counts, current: Counts) -> list[Segment]:
    """Return segments for bins that were given, or found in both tables together.

    Examples
    --------
    >>> len(given_bins(np.array([3, 4]), np.array([5, 6])))
    2
    """
    return [
        Segment(reference=reference[i : i + 1], current=current[i : i + 1])
        for i in range(len(reference))
    ]


def homogeneity(
    segments: Sequence[Segment], generator: np.random.Generator, *, draws: int = DRAWS
) -> Outcome:
    r"""Return the p-value of "both tables come from one distribution".

    Chi-square where counts are large enough for it; else Monte Carlo with
    ``p = (1 + #{T* >= T}) / (draws + 1)``. Between segments, the current rows are drawn without
    replacement from both tables together. Within a segment, coverages of spacings between order
    statistics follow a Dirichlet distribution with the numbers of reference rows between them
    as its parameters, whatever the distribution of the data; the current rows are
    then multinomial. Ties make this approximate. Rows are taken to be independent.

    Parameters
    ----------
    segments
        At least one, with at least one row of either table in all.
    generator
        Source of randomness; the same state gives the same result.
    draws
        Simulated tables, at least 1; a tenth as many where the p-value is plainly above 0.2.

    References
    ----------
    B. Phipson and G. K. Smyth, "Permutation P-values Should Never Be Zero", Statistical
    Applications in Genetics and Molecular Biology 9 (2010), article 39.
    S. S. Wilks, "Determination of Sample Sizes for Setting Tolerance Limits", Annals of
    Mathematical Statistics 12 (1941) 91-96.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> same = given_bins(np.array([500, 500]), np.array([500, 500]))
    >>> homogeneity(same, generator).p_value
    1.0
    >>> few = given_bins(np.array([5, 0]), np.array([0, 5]))  # exactly 2 of 252 arrangements
    >>> abs(homogeneity(few, generator, draws=99_999).p_value - 2 / 252) < 0.001
    True
    """
    filled = [segment for segment in map(_without_empty_bins, segments) if sum(segment.totals)]
    cells = sum(len(segment.reference) for segment in filled)
    statistic = _statistic(filled)
    if cells <= 1:
        return Outcome(statistic=0.0, cells=cells, p_value=1.0)
    if _chi_square_holds(filled):
        return Outcome(
            statistic=statistic, cells=cells, p_value=float(chdtrc(cells - 1, statistic))
        )
    used = min(draws, _FIRST_DRAWS)
    exceedances = count_exceedances(filled, statistic, generator, draws=used)
    if (1 + exceedances) / (used + 1) < _PLAIN:
        exceedances += count_exceedances(filled, statistic, generator, draws=draws - used)
        used = draws
    return Outcome(
        statistic=statistic,
        cells=cells,
        p_value=(1 + exceedances) / (used + 1),
        exceedances=exceedances,
        draws=used,
    )


def _without_empty_bins(segment: Segment) -> Segment:
    kept = (segment.reference > 0) | (segment.current > 0)
    return Segment(reference=segment.reference[kept], current=segment.current[kept])


def _between(segments: Sequence[Segment]) -> tuple[Counts, Counts]:
    totals = np.array([segment.totals for segment in segments], dtype=np.int64)
    return totals[:, 0], totals[:, 1]


def _statistic(segments: Sequence[Segment]) -> float:
    within = sum(
        float(pearson(segment.reference, segment.current))
        for segment in segments
        if len(segment.reference) > 1 and all(segment.totals)
    )
    return within + float(pearson(*_between(segments)))


def _chi_square_holds(segments: Sequence[Segment]) -> bool:
    reference = np.concatenate([segment.reference for segment in segments])
    current = np.concatenate([segment.current for segment in segments])
    pooled = reference + current
    if pooled.sum() >= _LARGEST:
        return True
    smaller = min(int(reference.sum()), int(current.sum()))
    if (pooled * (smaller / pooled.sum()) < MINIMUM_EXPECTED).any():
        return False
    return all(
        len(segment.reference) == 1 or int(segment.reference.min()) >= MINIMUM_SPACING
        for segment in segments
    )


def count_exceedances(
    segments: Sequence[Segment], statistic: float, generator: np.random.Generator, *, draws: int
) -> int:
    """Return how many of ``draws`` simulated statistics are at least as large as the one seen."""
    # A relative tolerance, since equal tables can give statistics that differ by rounding.
    bound = statistic * (1 - 1e-12) - 1e-12
    cells = sum(len(segment.reference) for segment in segments)
    chunk = max(1, _CHUNK // cells)
    found = 0
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        found += int(np.count_nonzero(simulate(segments, generator, size=size) >= bound))
    return found


def simulate(segments: Sequence[Segment], generator: np.random.Generator, *, size: int) -> Floats:
    """Return ``size`` statistics under the null hypothesis, shape ``(size,)``."""
    total = np.zeros(size)
    reference, current = _between(segments)
    if len(segments) > 1:
        pooled = reference + current
        drawn = generator.multivariate_hypergeometric(
            pooled, int(current.sum()), size=size, method="marginals"
        )
        total += pearson(pooled - drawn, drawn)
    for segment in segments:
        n_reference, n_current = segment.totals
        if len(segment.reference) > 1 and n_reference and n_current:
            spacings = segment.reference.astype(np.float64)
            spacings[-1] += 1  # n order statistics leave n + 1 spacings; the last bin has two
            coverages = generator.dirichlet(np.maximum(spacings, np.finfo(float).tiny), size=size)
            total += pearson(segment.reference, generator.multinomial(n_current, coverages))
    return total
