"""Distances of histograms, against SciPy and against laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from monitor.statistics.chi_square import chi_square, chi_square_p_value
from monitor.statistics.hellinger import hellinger
from monitor.statistics.jensen_shannon import jensen_shannon
from monitor.statistics.kolmogorov_smirnov import kolmogorov_smirnov
from monitor.statistics.l_infinity import l_infinity
from monitor.statistics.psi import psi
from monitor.statistics.table import STATISTICS
from monitor.statistics.wasserstein import wasserstein

Pair = tuple[NDArray[np.int64], NDArray[np.int64]]


@st.composite
def pairs(draw: st.DrawFn, *, smallest: int = 0) -> Pair:
    bins = draw(st.integers(2, 12))
    counts = st.lists(st.integers(smallest, 500), min_size=bins, max_size=bins)
    sides = [np.array(draw(counts.filter(any)), dtype=np.int64) for _ in range(2)]
    return sides[0], sides[1]


@given(pairs())
def test_jensen_shannon_is_scipys(pair: Pair) -> None:
    assert jensen_shannon(*pair) == pytest.approx(jensenshannon(*pair), abs=1e-7)


@given(pairs(smallest=1))
def test_chi_square_is_scipys(pair: Pair) -> None:
    expected = stats.chi2_contingency(np.array(pair), correction=False)
    assert chi_square(*pair) == pytest.approx(expected.statistic, abs=1e-9)
    assert chi_square_p_value(*pair) == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


@given(pairs(smallest=1))
def test_psi_is_the_sum_of_both_relative_entropies(pair: Pair) -> None:
    p, q = (counts / counts.sum() for counts in pair)
    expected = stats.entropy(p, q) + stats.entropy(q, p)
    assert psi(*pair, pseudo_count=0) == pytest.approx(expected, abs=1e-9)


@given(pairs())
def test_every_distance_is_symmetric_and_not_negative(pair: Pair) -> None:
    bounds = np.arange(len(pair[0]) + 1.0)
    for name, statistic in STATISTICS.items():
        if name == "wasserstein":
            continue  # its unit is the reference's standard deviation
        there, back = statistic(*pair, bounds), statistic(*reversed(pair), bounds)
        assert there == pytest.approx(back, abs=1e-9), name
        assert there >= 0, name


@given(pairs(), st.integers(2, 9))
def test_no_distance_but_psi_and_chi_square_depends_on_the_number_of_rows(
    pair: Pair, factor: int
) -> None:
    many = (pair[0] * factor, pair[1])
    for statistic in (jensen_shannon, hellinger, l_infinity, kolmogorov_smirnov):
        assert statistic(*pair) == pytest.approx(statistic(*many), abs=1e-9)


@given(pairs())
def test_a_table_is_at_no_distance_from_itself(pair: Pair) -> None:
    bounds = np.arange(len(pair[0]) + 1.0)
    for name, statistic in STATISTICS.items():
        assert statistic(pair[0], pair[0], bounds) == pytest.approx(0, abs=1e-7), name


@given(pairs())
def test_the_bounded_distances_stay_in_their_bounds(pair: Pair) -> None:
    assert jensen_shannon(*pair) <= math.sqrt(math.log(2)) + 1e-12
    assert hellinger(*pair) <= 1 + 1e-12
    assert kolmogorov_smirnov(*pair) <= l_infinity(*pair) * len(pair[0]) + 1e-12


@given(pairs(), st.floats(0.1, 10), st.floats(-50, 50))
def test_wasserstein_does_not_depend_on_the_unit_of_the_values(
    pair: Pair, factor: float, offset: float
) -> None:
    bounds = np.arange(len(pair[0]) + 1.0) ** 1.5
    there = wasserstein(*pair, bounds)
    assert wasserstein(*pair, bounds * factor + offset) == pytest.approx(there, rel=1e-6)


def test_wasserstein_of_fine_bins_comes_near_scipys() -> None:
    generator = np.random.default_rng(5)
    first, second = generator.normal(0, 1, 40_000), generator.normal(0.3, 1.2, 40_000)
    bounds = np.linspace(-7, 7, 401)
    counts = [np.histogram(values, bounds)[0] for values in (first, second)]
    expected = stats.wasserstein_distance(first, second)
    assert wasserstein(*counts, bounds, scale=1.0) == pytest.approx(expected, rel=0.01)


def test_a_change_of_a_constant_is_infinitely_many_standard_deviations() -> None:
    bounds = [1.0, 1.0, 2.0]
    assert wasserstein([5, 0], [5, 0], bounds) == 0.0
    assert wasserstein([5, 0], [0, 5], bounds) == math.inf


def test_without_smoothing_a_bin_of_one_table_alone_makes_psi_infinite() -> None:
    assert psi([1, 0], [1, 1], pseudo_count=0) == math.inf
    assert psi([1, 0, 0], [1, 1, 0], pseudo_count=0) == math.inf
    assert math.isfinite(psi([1, 0], [1, 1]))


@pytest.mark.parametrize(
    ("reference", "current", "problem"),
    [
        ([1, 2], [1], "differ in shape"),
        ([1, -2], [1, 1], "0 or more"),
        ([1, math.nan], [1, 1], "0 or more"),
        ([0, 0], [1, 1], "reference histogram holds no rows"),
        ([1, 1], [0, 0], "current histogram holds no rows"),
    ],
)
def test_they_refuse_what_is_no_pair_of_histograms(
    reference: list[float], current: list[float], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        psi(reference, current)


def test_wasserstein_refuses_bounds_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="3 ascending bounds"):
        wasserstein([1, 1], [1, 1], [0.0, 1.0])
