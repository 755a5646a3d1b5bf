"""P-values at 5 % are right when nothing has changed, whatever the sizes, ties and tails.

The short version can only find gross errors; ``WATCHKEEPER_CALIBRATION=5000`` runs so many columns
a case, and more sizes.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from monitor.comparison.cells import category_segments, number_segments
from monitor.comparison.drift import BOUND, Examiner, status
from monitor.comparison.scan import CategoryCounts, NumberCounts
from monitor.edges import ColumnBins, count, fit_numbers
from monitor.model import CheckStatus
from monitor.statistics.homogeneity import Segment
from monitor.statistics.multiple_testing import benjamini_hochberg
from monitor.statistics.power import minimum_detectable_effect

COLUMNS = int(os.environ.get("WATCHKEEPER_CALIBRATION", "150"))
LONG = COLUMNS >= 1_000
LEVEL = 0.05

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def rain(generator: np.random.Generator, rows: int) -> NDArray[np.float64]:
    return np.where(generator.random(rows) < 0.5, 0.0, generator.lognormal(size=rows))


def gusts(generator: np.random.Generator, rows: int) -> NDArray[np.float64]:
    return np.where(generator.random(rows) < 0.3, np.nan, generator.normal(size=rows))


CONTINUOUS: dict[str, Draw] = {
    "normal": lambda generator, rows: generator.normal(size=rows),
    "heavy_tails": lambda generator, rows: generator.standard_cauchy(size=rows),
    "skewed": lambda generator, rows: generator.lognormal(0, 2, size=rows),
    "nulls": gusts,
}
TIED: dict[str, Draw] = {
    "rounded": lambda generator, rows: np.round(generator.normal(size=rows) * 8),
    "finely_rounded": lambda generator, rows: np.round(generator.normal(size=rows) * 40),
    "zeros": rain,
    "waiting": lambda generator, rows: generator.geometric(0.05, size=rows).astype(float),
    "few_values": lambda generator, rows: generator.poisson(2, size=rows).astype(float),
}
SHARES: dict[str, NDArray[np.float64]] = {
    "two": np.array([0.3, 0.7]),
    "ten": np.full(10, 0.1),
    "hundred": np.full(100, 0.01),
    "zipf": 1 / np.arange(1, 51) ** 1.5,
    "rare": np.array([0.97, 0.01, 0.01, 0.005, 0.003, 0.002]),
}
SIZES = [(50, 50), (100, 1_000), (1_000, 100), (2_000, 2_000)]
if LONG:
    SIZES += [(100, 100), (300, 20_000), (10_000, 500), (100_000, 100_000)]


def counted(values: NDArray[np.float64], bins: ColumnBins) -> NumberCounts:
    finite = values[np.isfinite(values)]
    return NumberCounts(
        rows=len(values),
        counts=count(finite, bins.edges),
        values=dict(Counter(finite.tolist())) if bins.discrete else {},
        nan=int(np.isnan(values).sum()),
    )


def number_case(draw: Draw, generator: np.random.Generator, n: int, m: int) -> list[Segment]:
    reference, current = draw(generator, n), draw(generator, m)
    bins = fit_numbers(reference)
    return number_segments(counted(reference, bins), counted(current, bins), bins)


def category_case(
    shares: NDArray[np.float64], generator: np.random.Generator, n: int, m: int
) -> list[Segment]:
    sides = []
    for rows in (n, m):
        drawn = generator.multinomial(rows, shares / shares.sum())
        counts = {f"v{i}": int(k) for i, k in enumerate(drawn) if k}
        sides.append(CategoryCounts(rows=rows, null=0, counts=counts, others=0))
    return category_segments(*sides)


def alarms(case: Callable[[np.random.Generator], list[Segment]], seed: int) -> int:
    generator = np.random.default_rng(seed)
    examiner = Examiner(seed)
    return sum(examiner.test(case(generator)).outcome.p_value <= LEVEL for _ in range(COLUMNS))


def surely_above(found: int, columns: int, rate: float) -> bool:
    """Whether the 99.9 % Clopper-Pearson lower bound of the rate is above ``rate``."""
    return bool(found) and stats.beta.ppf(0.001, found, columns - found + 1) > rate


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_columns_without_ties_raise_five_false_alarms_in_a_hundred(n: int, m: int) -> None:
    found = {
        name: alarms(lambda generator, draw=draw: number_case(draw, generator, n, m), n + m)  # type: ignore[misc]
        for name, draw in CONTINUOUS.items()
    }
    for name, alarmed in found.items():
        assert not surely_above(alarmed, COLUMNS, 0.06), (name, alarmed)
    pooled = stats.binomtest(sum(found.values()), COLUMNS * len(found), LEVEL)
    low, high = pooled.proportion_ci(0.999)
    assert low <= 0.06, found
    assert high >= 0.04, found


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("name", TIED)
def test_ties_do_not_raise_the_rate(name: str, n: int, m: int) -> None:
    found = alarms(lambda generator: number_case(TIED[name], generator, n, m), n + m)
    assert not surely_above(found, COLUMNS, 0.06), found


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("name", SHARES)
def test_rare_categories_do_not_raise_the_rate(name: str, n: int, m: int) -> None:
    found = alarms(lambda generator: category_case(SHARES[name], generator, n, m), n + m)
    assert not surely_above(found, COLUMNS, 0.05), found


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_twenty_clean_columns_are_all_quiet(correlation: float) -> None:
    generator = np.random.default_rng(20)
    examiner = Examiner(0)
    tables = COLUMNS if LONG else 60
    flagged = 0
    for _ in range(tables):
        common = generator.normal(size=(2, 100, 1)) * math.sqrt(correlation)
        own = generator.normal(size=(2, 100, 20)) * math.sqrt(1 - correlation)
        reference, current = common + own
        p_values = []
        for column in range(20):
            bins = fit_numbers(reference[:, column])
            sides = (counted(side[:, column], bins) for side in (reference, current))
            p_values.append(examiner.test(number_segments(*sides, bins)).outcome.p_value)
        flagged += bool(benjamini_hochberg(p_values).min() <= LEVEL)
    assert not surely_above(flagged, tables, 0.06), flagged


@pytest.mark.parametrize(("n", "m"), [(500, 500), (5_000, 1_000)])
def test_an_effect_of_the_stated_size_is_seen_in_four_of_five_columns(n: int, m: int) -> None:
    generator = np.random.default_rng(4)
    examiner = Examiner(0)
    tests = []
    wanted = minimum_detectable_effect(n, m, 20, alpha=LEVEL)
    for _ in range(COLUMNS):
        # A shift of s standard deviations of normal values has an index of about s squared.
        reference = generator.normal(size=n)
        current = generator.normal(math.sqrt(1.15 * wanted), size=m)
        bins = fit_numbers(reference)
        tests.append(
            examiner.test(number_segments(counted(reference, bins), counted(current, bins), bins))
        )
    power = np.mean([one.outcome.p_value <= LEVEL for one in tests])
    assert power >= 0.75


def test_a_large_change_is_critical_and_a_certain_small_one_is_not() -> None:
    generator = np.random.default_rng(9)
    verdicts = []
    for shift in (0.05, 0.4, 1.0):
        reference, current = generator.normal(size=50_000), generator.normal(shift, size=50_000)
        bins = fit_numbers(reference)
        tested = Examiner(0).test(
            number_segments(counted(reference, bins), counted(current, bins), bins)
        )
        assert tested.outcome.p_value <= LEVEL
        verdicts.append(
            status(
                p_value_adjusted=tested.outcome.p_value,
                effect=tested.effect.effect,
                detectable=BOUND / 10,
                alpha=LEVEL,
            )
        )
    assert verdicts == [CheckStatus.OK, CheckStatus.WARNING, CheckStatus.CRITICAL]
