"""Broken feeds are found and named; what is normal for the set is no finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from monitor.evaluate import evaluate_window
from monitor.habits import Habit, null_limit, wilson_limit
from monitor.model import CheckResult, CheckStatus, EvaluatedWindow, Family
from monitor.reference import Reference, fit_reference, profile_frame
from watchkeeper.window import Window

from .conftest import SETTINGS, START, Evaluate, arguments, flights

LABEL = SETTINGS.label.column


def bad(evaluated: EvaluatedWindow) -> dict[tuple[str, str | None], CheckResult]:
    return {
        (result.check, result.measurement.column): result
        for result in evaluated.of(Family.DATA_CONTRACT)
        if result.status in {CheckStatus.WARNING, CheckStatus.CRITICAL}
    }


@pytest.fixture
def day() -> pd.DataFrame:
    return flights(START, 1, seed=1)


@pytest.mark.parametrize("seed", range(2, 12))
def test_a_usual_day_has_no_finding(evaluate: Evaluate, seed: int) -> None:
    assert bad(evaluate(flights(START, 1, seed=seed))) == {}


def test_columns_that_go_null_together_are_named_as_one_source(
    evaluate: Evaluate, day: pd.DataFrame
) -> None:
    found = bad(evaluate(day.assign(wind=np.nan, rain=np.nan, gust=np.nan)))
    assert set(found) == {("null_surge", name) for name in ("wind", "rain", "gust")}
    wind = found["null_surge", "wind"]
    assert wind.status is CheckStatus.CRITICAL
    assert wind.reason == (
        "100.0% of 400 rows are null, usually at most 0.0%; "
        "together with rain, gust: one source feeds them all"
    )


def test_a_break_is_found_in_a_few_rows(evaluate: Evaluate, day: pd.DataFrame) -> None:
    found = bad(evaluate(day.head(12).assign(wind=np.nan), now=START + timedelta(hours=1)))
    assert found["null_surge", "wind"].status is CheckStatus.CRITICAL


def test_infinities_are_out_of_range(evaluate: Evaluate, day: pd.DataFrame) -> None:
    found = bad(evaluate(day.assign(wind=np.inf)))["out_of_range", "wind"]
    assert found.status is CheckStatus.CRITICAL
    assert found.reason == "400 of 400 values are infinite, 0.0% in the reference"
    some = day.wind.where(np.arange(len(day)) % 6 != 0, -np.inf)
    assert bad(evaluate(day.assign(wind=some)))["out_of_range", "wind"].effect is not None
    assert bad(evaluate(day.assign(wind=day.wind.where(day.index > 2, np.inf)))) == {}


@pytest.mark.parametrize("lost", [None, np.nan])
def test_predictions_that_are_no_more_are_a_broken_contract(
    evaluate: Evaluate, day: pd.DataFrame, lost: float | None
) -> None:
    score = day.y_pred_proba.astype(object).where(day.index % 2 == 0, lost)
    found = bad(evaluate(day.assign(y_pred_proba=score.astype(float))))
    assert found["null_surge", "y_pred_proba"].status is CheckStatus.CRITICAL


def test_a_few_nulls_more_are_a_warning(evaluate: Evaluate, day: pd.DataFrame) -> None:
    wind = day.wind.where(np.arange(len(day)) % 6 != 0)
    found = bad(evaluate(day.assign(wind=wind)))
    assert {key: result.status for key, result in found.items()} == {
        ("null_surge", "wind"): CheckStatus.WARNING
    }


def test_one_new_category_is_no_finding_but_many_are(evaluate: Evaluate, day: pd.DataFrame) -> None:
    few, many = day.carrier.copy(), day.carrier.copy()
    few[:3], many[:200] = "XX", "XX"
    assert bad(evaluate(day.assign(carrier=few))) == {}
    result = bad(evaluate(day.assign(carrier=many)))["unseen_category", "carrier"]
    assert result.status is CheckStatus.CRITICAL
    assert "XX" not in result.reason
    assert "200 of 400 values" in result.reason


def test_another_unit_is_named_but_a_hot_day_is_not(evaluate: Evaluate, day: pd.DataFrame) -> None:
    in_metres = bad(evaluate(day.assign(distance=day.distance * 1000)))
    assert set(in_metres) == {("unit_change", "distance")}
    assert "×1,000" in in_metres["unit_change", "distance"].reason
    scattered = bad(evaluate(day.assign(distance=day.distance * 1000 * np.arange(400))))
    assert scattered["out_of_range", "distance"].status is CheckStatus.CRITICAL
    assert bad(evaluate(day.assign(distance=day.distance + 1500))) == {}


def test_a_windy_day_is_no_other_unit_and_frost_is_possible(
    evaluate: Evaluate, day: pd.DataFrame
) -> None:
    for factor in (1 / 3.785412, 1 / 2.54, 2.54, 3.6):
        found = bad(evaluate(day.assign(distance=day.distance * factor)))
        assert ("unit_change", "distance") not in found
    frozen = bad(evaluate(day.assign(distance=-day.distance / 50)))
    assert ("out_of_range", "distance") not in frozen


def test_what_the_model_saw_in_training_is_within_range(day: pd.DataFrame) -> None:
    """A reference is newer and smaller than the training rows: it may know one season only."""
    summer = flights(START - timedelta(days=30), 30, seed=0)
    winter = day.assign(wind=day.wind + 200)
    window = Window(start=START, end=START + timedelta(days=1))

    def found(seen: dict[str, tuple[float, float]]) -> set[tuple[str, str | None]]:
        known = fit_reference(summer, **arguments(summer), seen=seen)  # type: ignore[arg-type]
        tiles = profile_frame(winter, known, **arguments(winter))  # type: ignore[arg-type]
        later = START + timedelta(days=2)
        evaluated = evaluate_window(window, tiles, known, SETTINGS, version=1, now=later)
        return set(bad(evaluated))

    assert ("out_of_range", "wind") in found({})
    assert ("out_of_range", "wind") not in found({"wind": (-10.0, 180.0)})


def test_a_stuck_sensor_is_stale_but_a_dry_day_is_a_warning_at_most(
    evaluate: Evaluate, day: pd.DataFrame
) -> None:
    stuck = bad(evaluate(day.assign(wind=12.5)))
    assert stuck["stale", "wind"].status is CheckStatus.CRITICAL
    dry = bad(evaluate(day.assign(rain=0.0)))
    assert dry["stale", "rain"].status is CheckStatus.WARNING


def test_few_equal_values_of_a_sparse_column_are_no_stuck_sensor(
    evaluate: Evaluate, day: pd.DataFrame
) -> None:
    gust = pd.Series(np.where(np.arange(len(day)) < 40, 7.0, np.nan))
    assert ("stale", "gust") not in bad(evaluate(day.assign(gust=gust)))


def test_volume_needs_a_habit(evaluate: Evaluate, day: pd.DataFrame) -> None:
    def volume(rows: int, before: tuple[int, ...]) -> CheckStatus:
        results = evaluate(day.head(rows), rows_before=before).results
        return next(result.status for result in results if result.check == "volume")

    habit = (400, 410, 390, 405, 300, 310, 400, 395, 402, 398)
    assert volume(400, habit) is CheckStatus.OK
    assert volume(300, habit) is CheckStatus.OK
    assert volume(150, habit) is CheckStatus.WARNING
    assert volume(40, habit) is CheckStatus.CRITICAL
    assert volume(40, habit[:7]) is CheckStatus.INSUFFICIENT_DATA


def test_every_column_has_a_result_for_every_check_that_applies(
    evaluate: Evaluate, day: pd.DataFrame
) -> None:
    results = evaluate(day).of(Family.DATA_CONTRACT)
    nulls = [r.measurement.column for r in results if r.check == "null_surge"]
    assert nulls == [LABEL, "distance", "wind", "rain", "gust", "carrier", "y_pred_proba"]
    assert [r.measurement.column for r in results if r.check == "unseen_category"] == ["carrier"]


def test_the_null_limit_follows_the_windows(reference: Reference) -> None:
    gust = reference.profile.column("gust")
    assert null_limit([0.7] * 20, gust) == pytest.approx(0.7)
    assert null_limit([0.5, 0.9] * 10, gust) == 1.0
    assert null_limit([0.7, 0.7], gust) == wilson_limit(gust.null_share, gust.rows, upper=True)
    assert null_limit([0.7, 0.7], gust, [0.4, 0.9] * 4) == 1.0


def test_a_part_of_a_day_may_have_the_nulls_of_an_evening(reference: Reference) -> None:
    gust = reference.profile.column("gust")
    habit = replace(reference.habits["gust"], null_limit=0.5, part_rows=300, part_null_limit=0.8)
    assert [habit.null_limit_of(rows) for rows in (300, 301)] == [0.8, 0.5]
    assert Habit.from_dict(habit.to_dict()) == habit
    assert reference.habits["gust"].null_limit_of(gust.rows) == reference.habits["gust"].null_limit
