"""P-values, intervals and smallest detectable effects, against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from monitor.statistics.homogeneity import Segment, given_bins, homogeneity, simulate
from monitor.statistics.interval import psi_effect
from monitor.statistics.multiple_testing import benjamini_hochberg, holm
from monitor.statistics.power import minimum_detectable_effect

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def test_a_small_table_gets_the_exact_p_value() -> None:
    table = np.array([[3, 9], [8, 2]])
    exact = stats.fisher_exact(table).pvalue
    found = homogeneity(given_bins(*table), generator(), draws=99_999)
    assert found.p_value == pytest.approx(exact, abs=0.003)


def test_a_large_table_gets_chi_squares_without_any_draw() -> None:
    table = np.array([[300, 420, 80], [310, 380, 110]])
    found = homogeneity(given_bins(*table), generator())
    assert found.draws == 0
    assert found.p_value == pytest.approx(stats.chi2_contingency(table).pvalue)


def test_coverages_of_spacings_vary_as_those_of_uniform_order_statistics_do() -> None:
    spacings = np.array([10, 10, 10, 10])
    drawn = simulate(
        [Segment(reference=spacings, current=np.array([25, 25, 25, 25]))], generator(), size=20_000
    )
    source = np.random.default_rng(8)
    edges = np.sort(source.random((20_000, 40)), axis=1)[:, [9, 19, 29]]
    current = source.random((20_000, 100))
    below = (current[:, :, None] <= edges[:, None, :]).sum(axis=1)
    counts = np.diff(below, axis=1, prepend=0, append=100)
    expected = ((counts * 0.4**0.5 - spacings * 2.5**0.5) ** 2 / (counts + spacings)).sum(axis=1)
    assert stats.ks_2samp(drawn, expected).pvalue > 0.001


def test_no_p_value_is_zero() -> None:
    table = np.array([[0, 9], [9, 0]])
    assert homogeneity(given_bins(*table), generator(), draws=99).p_value == 0.01


def test_one_cell_is_no_evidence() -> None:
    found = homogeneity(given_bins(np.array([7, 0]), np.array([5, 0])), generator())
    assert (found.cells, found.p_value) == (1, 1.0)


def test_the_same_generator_gives_the_same_p_value() -> None:
    table = np.array([[3, 9, 1], [8, 2, 0]])
    first, second = (homogeneity(given_bins(*table), generator()) for _ in range(2))
    assert first == second


@given(P_VALUES)
def test_adjusted_p_values_are_scipys(p_values: list[float]) -> None:
    expected = stats.false_discovery_control(p_values, method="bh")
    assert benjamini_hochberg(p_values) == pytest.approx(expected, abs=1e-12)


@given(P_VALUES)
def test_holm_is_stricter_than_benjamini_hochberg_and_milder_than_bonferroni(
    p_values: list[float],
) -> None:
    strict = holm(p_values)
    assert (strict >= benjamini_hochberg(p_values) - 1e-12).all()
    assert (strict <= np.minimum(np.array(p_values) * len(p_values), 1) + 1e-12).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(strict[order]) >= -1e-12).all()


def test_a_column_that_was_not_tested_does_not_count() -> None:
    assert holm([0.01, math.nan, 0.04])[[0, 2]] == pytest.approx([0.02, 0.04])
    assert math.isnan(benjamini_hochberg([0.01, math.nan])[1])


def test_it_refuses_what_is_no_p_value() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, 1.5])


def test_an_effect_of_that_size_is_found_in_four_of_five_tables() -> None:
    cells, rows, alpha = 8, 2_000, 0.01
    effect = minimum_detectable_effect(rows, rows, cells, alpha=alpha)
    source = generator()
    shift = np.array([1, -1] * (cells // 2)) * math.sqrt(effect) / cells
    before = source.multinomial(rows, np.full(cells, 1 / cells), size=2_000)
    after = source.multinomial(rows, 1 / cells + shift, size=2_000)
    statistic = ((before - after) ** 2 / (before + after)).sum(axis=1)
    power = (stats.chi2.sf(statistic, cells - 1) <= alpha).mean()
    assert power == pytest.approx(0.8, abs=0.04)


def test_more_rows_show_smaller_effects() -> None:
    effects = [
        minimum_detectable_effect(rows, rows, 10, alpha=0.05) for rows in (100, 1_000, 10_000)
    ]
    assert effects == sorted(effects, reverse=True)
    assert minimum_detectable_effect(0, 100, 10, alpha=0.05) == math.inf


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5, 1.5])
@pytest.mark.parametrize("rows", [(300, 300), (5_000, 1_000)])
def test_the_interval_of_psi_holds_the_true_value(shift: float, rows: tuple[int, int]) -> None:
    edges = stats.norm.ppf(np.arange(1, 10) / 10)
    p, q = (np.diff(stats.norm.cdf(edges - by), prepend=0, append=1) for by in (0.0, shift))
    true = float(((p - q) * np.log(p / q)).sum())
    source = generator()
    first, second = (
        source.multinomial(n, shares, size=600) for n, shares in zip(rows, (p, q), strict=True)
    )
    found = [psi_effect(*pair) for pair in zip(first, second, strict=True)]
    held = np.mean([one.lower <= true <= one.upper for one in found])
    assert held >= 0.92
    assert all(one.lower <= one.effect <= one.value <= one.upper for one in found)


def test_the_effect_is_near_zero_where_the_plain_value_is_not() -> None:
    source = generator()
    tables = source.multinomial(100, np.full(10, 0.1), size=(400, 2))
    found = [psi_effect(*pair) for pair in tables]
    assert np.mean([one.value for one in found]) > 0.15
    assert np.median([one.effect for one in found]) < 0.02
