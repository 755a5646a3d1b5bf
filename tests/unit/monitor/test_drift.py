"""A window drifts when it differs from the reference by more than windows usually do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitor.drift import compare_column, merge_cells
from monitor.edges import fit_numbers
from monitor.habits import Habit
from monitor.model import CheckResult, CheckStatus, EvaluatedWindow, Family
from monitor.profiles.model import ColumnProfile
from monitor.variation import Variation, learn
from watchkeeper.schema import ColumnKind

from .conftest import START, Evaluate, flights


def drift_of(evaluated: EvaluatedWindow, column: str) -> CheckResult:
    (result,) = [
        r for r in evaluated.results if r.check == "drift" and r.measurement.column == column
    ]
    return result


def column_profile(counts: np.ndarray) -> ColumnProfile:
    rows = int(counts.sum())
    zeros = dict.fromkeys(("null", "nan", "infinite", "under", "over", "far", "zeros"), 0)
    return ColumnProfile(
        name="x",
        kind=ColumnKind.NUMERICAL,
        counts=counts,
        rows=rows,
        total=0.0,
        total_of_squares=0.0,
        minimum=0.0,
        maximum=1.0,
        **zeros,
    )


def test_a_windy_day_is_no_drift_as_every_day_has_its_own_wind(evaluate: Evaluate) -> None:
    day = flights(START, 1, seed=21)
    result = drift_of(evaluate(day), "wind")
    assert result.measurement.value is not None
    assert result.measurement.value > 0.25
    assert result.status not in {CheckStatus.WARNING, CheckStatus.CRITICAL}


def test_a_shift_of_a_steady_column_is_drift(evaluate: Evaluate) -> None:
    day = flights(START, 1, seed=22)
    moved = drift_of(evaluate(day.assign(distance=day.distance + 250)), "distance")
    assert (moved.status, moved.family) == (CheckStatus.CRITICAL, Family.INPUT_DRIFT)
    assert moved.effect is not None
    assert moved.effect > 1
    assert drift_of(evaluate(day), "distance").status is CheckStatus.OK


def test_drift_of_the_scores_is_a_family_of_its_own(evaluate: Evaluate) -> None:
    day = flights(START, 1, seed=23)
    result = drift_of(evaluate(day.assign(y_pred_proba=day.y_pred_proba / 2)), "y_pred_proba")
    assert (result.status, result.family) == (CheckStatus.CRITICAL, Family.OUTPUT_DRIFT)


def test_few_rows_are_too_few(evaluate: Evaluate) -> None:
    day = flights(START, 1, seed=24).head(15)
    result = drift_of(evaluate(day), "distance")
    assert result.status is CheckStatus.INSUFFICIENT_DATA


def test_an_empty_column_is_too_few_and_says_so(evaluate: Evaluate) -> None:
    day: pd.DataFrame = flights(START, 1, seed=25).assign(wind=np.nan)
    result = drift_of(evaluate(day), "wind")
    assert result.status is CheckStatus.INSUFFICIENT_DATA
    assert result.reason == "0 values are too few to compare"


@pytest.mark.parametrize(("clustering", "windows"), [(0.0, 30), (0.3, 30), (1.0, 12)])
def test_false_alarms_are_as_rare_as_promised(clustering: float, windows: int) -> None:
    """Without a change, 5 % of p-values lie below 5 %, also where windows are clusters."""
    rng = np.random.default_rng(5)
    p_values = []
    for _ in range(300):
        draws = [rng.normal(rng.normal(0, clustering), 1, 300) for _ in range(windows + 1)]
        bins = fit_numbers(np.concatenate(draws[:-1]))
        counts = np.array(
            [np.histogram(d, [-np.inf, *bins.edges, np.inf])[0] for d in draws], dtype=np.int64
        )
        habit = Habit(variation=learn(counts[:-1]), null_limit=0.0, constant_windows=0)
        found = compare_column(
            column_profile(counts[-1]),
            column_profile(counts[:-1].sum(axis=0)),
            bins,
            habit,
            columns=1,
        )
        assert found is not None
        p_values.append(found.p_value)
    false_alarms = np.mean(np.array(p_values) <= 0.05)
    # Up to three standard errors of 300 simulated windows.
    assert false_alarms <= 0.05 + 0.038


def test_unknown_variation_is_said() -> None:
    bins = fit_numbers(np.arange(1000.0))
    reference = column_profile(np.array(bins.spacings))
    habit = Habit(
        variation=Variation(windows=3, effective=3.0, extra=0.5, directions=1.0),
        null_limit=0.0,
        constant_windows=None,
    )
    found = compare_column(reference, reference, bins, habit, columns=1)
    assert found is not None
    assert not found.known
    assert found.p_value > 0.99


def test_rare_categories_share_a_cell() -> None:
    reference, current = np.array([500, 3, 490, 2, 5]), np.array([50, 1, 40, 0, 9])
    before, now = merge_cells(reference, current, ordered=False)
    assert before.tolist() == [500, 490, 10]
    assert now.tolist() == [50, 40, 10]


def test_neighbours_that_resemble_each_other_count_as_fewer_windows() -> None:
    rng = np.random.default_rng(1)
    level = np.repeat(rng.normal(0, 1, 10), 4)
    share = 1 / (1 + np.exp(-level))
    ones = rng.binomial(500, share)
    variation = learn(np.stack([500 - ones, ones], axis=1))
    assert variation.windows == 40
    assert variation.effective < 20
    assert variation.inflation(20_000, 500) > 20
