"""Performance is judged on mature labels, against the reference's level plus the tolerance."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from monitor.model import CheckResult, CheckStatus, EvaluatedWindow, Family
from monitor.reference import Reference

from .conftest import SETTINGS, START, Evaluate, flights


def judged(evaluated: EvaluatedWindow) -> CheckResult:
    first = evaluated.of(Family.PERFORMANCE)[0]
    assert first.measurement.metric == "log_loss"
    return first


def harmed(day: pd.DataFrame, share: float) -> pd.DataFrame:
    wrong = np.arange(len(day)) < share * len(day)
    return day.assign(y_true=np.where(wrong, 1.0 - (day.y_pred_proba > 0.3), day.y_true))


def test_a_good_day_is_ok(evaluate: Evaluate, reference: Reference) -> None:
    result = judged(evaluate(flights(START, 1, seed=31)))
    level = reference.level("log_loss")
    assert level is not None
    assert result.status is CheckStatus.OK
    assert result.threshold.upper == pytest.approx(1.2 * level)
    assert result.effect is not None
    assert abs(result.effect) < 1


def test_a_bad_day_is_critical_once_the_whole_interval_is_beyond(evaluate: Evaluate) -> None:
    result = judged(evaluate(harmed(flights(START, 1, seed=32), 0.5)))
    assert result.status is CheckStatus.CRITICAL
    assert result.measurement.lower is not None
    assert result.threshold.upper is not None
    assert result.measurement.lower > result.threshold.upper
    assert result.effect is not None
    assert result.effect > 1
    assert "above its limit" in result.reason


def test_beyond_in_value_alone_is_a_warning(evaluate: Evaluate) -> None:
    result = judged(evaluate(harmed(flights(START, 1, seed=33).head(60), 0.25)))
    assert result.status is CheckStatus.WARNING


def test_immature_labels_are_measured_but_not_judged(evaluate: Evaluate) -> None:
    day = flights(START, 1, seed=34)
    day.loc[::2, "y_true"] = np.nan
    early = evaluate(day, now=START + timedelta(hours=30))
    assert (early.labels_mature, early.labels) == (False, 200)
    assert judged(early).status is CheckStatus.INSUFFICIENT_DATA
    assert judged(early).measurement.value is not None
    assert "still have time to arrive" in judged(early).reason
    assert evaluate(day).labels_mature


def test_a_window_whose_labels_are_all_there_is_mature_at_once(evaluate: Evaluate) -> None:
    day = flights(START, 1, seed=35)
    assert evaluate(day, now=START + timedelta(hours=24)).labels_mature
    assert not evaluate(day, now=START + timedelta(hours=23)).labels_mature


def test_few_labels_are_too_few(evaluate: Evaluate) -> None:
    day = flights(START, 1, seed=36)
    day.loc[20:, "y_true"] = np.nan
    result = judged(evaluate(day))
    assert result.status is CheckStatus.INSUFFICIENT_DATA
    assert result.reason == "20 labels are too few to judge log_loss"


def test_other_metrics_are_reported_without_a_limit(evaluate: Evaluate) -> None:
    found = evaluate(flights(START, 1, seed=37)).of(Family.PERFORMANCE)[1:]
    results = [result for result in found if result.check == "performance"]
    assert {r.measurement.metric for r in results} >= {"roc_auc", "brier", "accuracy"}
    assert all(r.effect is None and r.threshold.upper is None for r in results)
    (auc,) = [r.reason for r in results if r.measurement.metric == "roc_auc"]
    assert "from binning" in auc


def test_an_empty_window_has_a_volume_and_nothing_else(evaluate: Evaluate) -> None:
    empty = flights(START, 1, seed=38).head(0)
    results = evaluate(empty, rows_before=(400,) * 10).results
    assert [(r.check, r.status) for r in results] == [("volume", CheckStatus.CRITICAL)]


def test_the_reference_knows_its_level_from_its_days(reference: Reference) -> None:
    level = reference.performance["log_loss"]
    assert level.clusters == 30
    assert level.labels == reference.profile.rows == 12_000
    assert level.lower is not None
    assert level.upper is not None
    assert level.upper - level.lower < 0.05
    assert SETTINGS.tolerance.metric in reference.performance
