"""A budget is tried on the reference before it is switched on, and says how little that shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from monitor.budget import Budget, back_test, upper_rate
from monitor.detection.past import Past
from monitor.performance import from_rows
from watchkeeper.model_settings import ModelSettings

START = datetime(2013, 1, 7, tzinfo=UTC)


def settings_of(**changes: Any) -> ModelSettings:
    values: dict[str, Any] = {
        "model": "flights",
        "task": "binary",
        "owner": {"name": "Flight models on call"},
        "timestamp": "scheduled_at",
        "prediction": {"score": "y_pred_proba"},
        "label": {"column": "late"},
        "windows": {"size": "1d"},
        "tolerance": {"metric": "accuracy", "drop": 0.04},
    }
    return ModelSettings.model_validate(values | changes)


def past_of(days: int, settings: ModelSettings, spread: float = 0.0) -> Past:
    generator = np.random.default_rng(days)
    rates = np.clip(generator.normal(0.2, spread, days), 0, 1)
    tiles = {
        START + timedelta(days=day): from_rows.binary(
            np.arange(400) < generator.binomial(400, rates[day]), np.zeros(400)
        )
        for day in range(days)
    }
    return Past.of(tiles, settings.windows.size, ZoneInfo("UTC"))


def test_two_months_of_quiet_say_little_about_a_quarter() -> None:
    settings = settings_of()
    budget = back_test(past_of(60, settings), settings, 0.8)
    assert budget.status == "budget_unverified"
    assert budget.sentence.startswith("0 pages in 60 days: at most 4.5 a quarter (95 %); ")
    assert "a change of accuracy by 0.08 is found in " in budget.sentence
    assert budget.delay_median is not None
    assert budget.delay_90 is not None
    assert 1 <= budget.delay_median <= budget.delay_90 <= 8


def test_three_quiet_quarters_show_that_a_budget_holds() -> None:
    settings = settings_of()
    budget = back_test(past_of(280, settings), settings, 0.8)
    assert (budget.status, budget.pages_seen) == ("verified", 0)
    assert budget.at_most is not None
    assert budget.at_most < 1
    assert budget.expected_upper is not None
    assert budget.expected_upper < 1
    assert budget.chance_upper is not None
    assert budget.chance_lower is not None
    assert budget.chance_lower <= (budget.chance or 0) <= budget.chance_upper


def test_days_of_storm_make_it_slower_and_it_says_so() -> None:
    settings = settings_of()
    calm = back_test(past_of(120, settings), settings, 0.8)
    stormy = back_test(past_of(120, settings, 0.06), settings, 0.8)
    assert stormy.delay_90 is None or stormy.delay_90 > 3 * (calm.delay_90 or 0)


def test_a_reference_of_few_labels_has_no_budget_and_says_why() -> None:
    settings = settings_of()
    budget = back_test(past_of(3, settings), settings, 0.8)
    assert budget.sentence == (
        "budget_unverified: the reference has labels in fewer than 8 stretches of time; "
        "nothing pages"
    )
    assert back_test(past_of(60, settings), settings, None).status == "budget_unverified"


@pytest.mark.parametrize(("size", "per"), [("7d", "quarter"), ("1d", "year"), ("7d", "week")])
def test_any_window_and_any_period_can_be_tried(size: str, per: str) -> None:
    settings = settings_of(windows={"size": size}, alarm_budget={"pages": 2, "per": per})
    budget = back_test(past_of(100, settings), settings, 0.8)
    assert budget.expected is not None
    assert budget.expected < 2


def test_a_budget_survives_json() -> None:
    settings = settings_of()
    budget = back_test(past_of(30, settings), settings, 0.8)
    assert Budget.from_dict(json.loads(json.dumps(budget.to_dict()))) == budget


def test_what_was_not_seen_may_still_come() -> None:
    assert upper_rate(0, timedelta(days=270), timedelta(days=90)) == pytest.approx(0.9986, abs=1e-3)
    assert upper_rate(1, timedelta(days=90), timedelta(days=90)) == pytest.approx(4.744, abs=1e-3)
