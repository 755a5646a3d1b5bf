"""A model may be held to what its outcomes are worth to the owner."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from monitor.budget import back_test
from monitor.detection.arming import arm, history_of, key_of
from monitor.detection.detector import Detector
from monitor.detection.past import Past
from monitor.evaluate import evaluate_window
from monitor.model import CheckResult, CheckStatus, Family
from monitor.performance import from_rows
from monitor.performance.interval import measure
from monitor.performance.table import METRICS, metric_of
from monitor.reference import Reference, fit_reference, profile_frame
from watchkeeper.business_value import CostMatrix
from watchkeeper.model_settings import ModelSettings
from watchkeeper.own_metrics import NONE, OwnMetrics
from watchkeeper.window import Window

from .conftest import SETTINGS, START, arguments, flights

MATRIX = CostMatrix(true_positive=20, false_positive=-5, false_negative=-100)
DAY = timedelta(days=1)


def settings_of(matrix: CostMatrix | None = MATRIX, **changes: Any) -> ModelSettings:
    written = SETTINGS.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    held = {"metric": "business_value", "drop": 4} if matrix else {"metric": "accuracy", "drop": 1}
    value = {} if matrix is None else {"value": matrix.model_dump()}
    return ModelSettings.model_validate(written | {"tolerance": held} | value | changes)


VALUED = settings_of()


@pytest.fixture(scope="module")
def valued() -> Reference:
    frame = flights(START - 30 * DAY, 30, seed=0)
    settings = settings_of(segments=["carrier"])
    given: dict[str, Any] = arguments(frame) | {"settings": settings}
    return fit_reference(frame, **given)


def results(
    reference: Reference, frame: pd.DataFrame, settings: ModelSettings = VALUED
) -> list[CheckResult]:
    given: dict[str, Any] = arguments(frame) | {"settings": settings}
    tiles = profile_frame(frame, reference, **given)
    evaluated = evaluate_window(
        Window(start=START, end=START + DAY),
        tiles,
        reference,
        settings,
        version=1,
        now=START + 2 * DAY,
    )
    return [each for each in evaluated.of(Family.PERFORMANCE) if each.check == "performance"]


def test_a_day_is_held_to_the_mean_value_of_a_prediction(valued: Reference) -> None:
    day = flights(START, 1, seed=41)
    judged = results(valued, day)[0]
    truth, said = day.y_true == 1, day.y_pred_proba >= 0.5
    worth = np.select([truth & said, ~truth & said, truth & ~said], [20, -5, -100], 0)
    found = judged.measurement
    assert found.metric == "business_value"
    assert found.value == pytest.approx(worth.mean())
    assert found.lower is not None
    assert found.upper is not None
    assert -100 < found.lower < worth.mean() < found.upper < 20
    assert judged.status in {CheckStatus.OK, CheckStatus.WARNING}


def test_costly_misses_are_harm_that_accuracy_alone_does_not_weigh(valued: Reference) -> None:
    day = flights(START, 1, seed=42)
    missed = (day.y_pred_proba < 0.5) & (np.arange(len(day)) % 4 == 0)
    judged = results(valued, day.assign(y_true=np.where(missed, 1.0, day.y_true)))[0]
    assert judged.status is CheckStatus.CRITICAL
    assert "business_value -" in judged.reason
    assert "below its limit" in judged.reason


def test_without_a_matrix_there_is_no_business_value(reference: Reference) -> None:
    names = {each.measurement.metric for each in results(reference, flights(START, 1, seed=43))}
    assert "business_value" in names
    plain = results(reference, flights(START, 1, seed=43), SETTINGS)
    assert "business_value" not in {each.measurement.metric for each in plain}


def test_another_matrix_values_the_reference_anew(valued: Reference) -> None:
    doubled = CostMatrix(true_positive=40, false_positive=-10, false_negative=-200)
    level = valued.level("business_value", OwnMetrics(value=MATRIX))
    assert level == pytest.approx(valued.performance["business_value"].value)
    assert valued.level("business_value", OwnMetrics(value=doubled)) == pytest.approx(
        2 * (level or 0.0)
    )
    assert key_of(settings_of(doubled)) != key_of(VALUED)
    # What else is watched need not start anew because outcomes have got a value.
    assert key_of(SETTINGS) == key_of(SETTINGS.model_copy(update={"value": MATRIX}))


def test_a_segment_is_judged_by_the_value_that_was_learned_for_it(valued: Reference) -> None:
    day = flights(START, 1, seed=44)
    segments = [each for each in results(valued, day) if each.measurement.segment]
    assert {each.measurement.metric for each in segments} == {"business_value"}
    assert len(segments) == 3
    other = results(valued, day, settings_of(CostMatrix(false_negative=-1)))
    assert not [each for each in other if each.measurement.segment]
    accuracy = results(valued, day, settings_of(None))
    assert not [each for each in accuracy if each.measurement.segment]


def days_of(misses: list[int]) -> Past:
    tiles = {
        START + n * DAY: from_rows.binary(np.arange(400) < wrong, np.zeros(400))
        for n, wrong in enumerate(misses)
    }
    return Past.of(tiles, DAY, ZoneInfo("UTC"))


def armed(misses: list[int]) -> Detector:
    past = days_of(misses)
    level = -100 * float(np.mean(misses)) / 400
    found = arm(history_of(past, VALUED), VALUED, level)
    assert found is not None
    return found


def test_the_detector_bets_on_the_shortfall_and_survives_being_stored() -> None:
    generator = np.random.default_rng(5)
    detector = armed(generator.binomial(400, 0.1, 60).tolist())
    # Nothing or -100 of a span of 120, with 20 as the best: 20 / 120 + 0.1 × 100 / 120.
    assert detector.level == pytest.approx(0.25, abs=0.01)
    assert detector.limit - detector.level == pytest.approx(4 / 120, abs=0.003)
    again = Detector.from_dict(json.loads(json.dumps(detector.to_dict())))
    assert again == detector
    quiet, harmed = (from_rows.binary(np.arange(400) < n, np.zeros(400)) for n in (40, 100))
    assert again.evidence([quiet], generator).max() < 0
    assert again.evidence([harmed], generator).max() > 5


def test_a_detector_stored_before_there_was_a_value_is_read() -> None:
    detector = dataclasses.replace(armed([40] * 30), metric="accuracy", own=NONE)
    stored = detector.to_dict()
    del stored["value"], stored["function"]
    assert Detector.from_dict(stored) == detector


def test_a_budget_is_tried_on_the_value_of_the_reference() -> None:
    misses = np.random.default_rng(6).binomial(400, 0.1, 120).tolist()
    budget = back_test(days_of(misses), VALUED, -10.0)
    assert budget.harm == 8.0
    assert budget.pages_seen == 0
    assert budget.expected_lower is not None
    assert budget.expected_lower <= 1
    assert "a change of business_value by 8 is found in " in budget.sentence


def test_where_only_errors_cost_it_is_the_accuracy_in_another_unit() -> None:
    generator = np.random.default_rng(7)
    tiles = [
        from_rows.binary(generator.random(50) < 0.4, generator.random(50) < 0.4) for _ in range(12)
    ]
    errors = CostMatrix(false_positive=-7, false_negative=-7)
    value, accuracy = (
        measure(metric_of("business_value", OwnMetrics(value=errors)), tiles),
        measure(METRICS["accuracy"], tiles),
    )
    for name in ("value", "lower", "upper"):
        assert getattr(value, name) == pytest.approx(-7 * (1 - getattr(accuracy, name)))
