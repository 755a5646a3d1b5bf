"""Metrics from merged counts equal those that scikit-learn computes from the rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn import metrics as sk

from monitor.performance.from_rows import binary, multiclass, regression
from monitor.performance.metrics import tie_bound
from monitor.performance.outcomes import Outcomes
from monitor.performance.scores import BINS, bin_of, edges
from monitor.performance.table import METRICS, metric_of
from watchkeeper import tolerance
from watchkeeper.business_value import CostMatrix
from watchkeeper.own_metrics import OwnMetrics
from watchkeeper.schema import Task

CLASSES = ("drizzle", "rain", "sun")


def binary_rows(seed: int, n: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.beta(1, 4, n)
    return (rng.random(n) < score).astype(int), (score > 0.3).astype(int), score


def split(rows: int, parts: int) -> list[np.ndarray]:
    return np.array_split(np.arange(rows), parts)


@pytest.mark.parametrize(
    ("name", "peer", "takes"),
    [
        ("log_loss", sk.log_loss, "score"),
        ("brier", sk.brier_score_loss, "score"),
        ("accuracy", sk.accuracy_score, "guess"),
        ("f1", sk.f1_score, "guess"),
        ("precision", sk.precision_score, "guess"),
        ("recall", sk.recall_score, "guess"),
    ],
)
def test_binary_metrics_are_exact(name: str, peer: Callable[..., float], takes: str) -> None:
    truth, guess, score = binary_rows(1)
    tiles = [binary(truth[i], guess[i], score[i]) for i in split(2000, 7)]

    merged = Outcomes.stack(tiles).total()

    assert_allclose(
        METRICS[name].value(merged), peer(truth, score if takes == "score" else guess), rtol=1e-12
    )


@pytest.mark.parametrize("seed", range(5))
def test_ranking_metrics_are_within_their_tie_bound(seed: int) -> None:
    truth, guess, score = binary_rows(seed)
    merged = binary(truth, guess, score)

    bound = float(tie_bound(merged))
    assert 0 < bound < 0.001
    difference = METRICS["roc_auc"].value(merged) - sk.roc_auc_score(truth, score)
    assert abs(difference) <= bound
    binned = edges()[bin_of(score)]
    assert_allclose(
        METRICS["average_precision"].value(merged),
        sk.average_precision_score(truth, binned),
        rtol=1e-12,
    )


def test_the_calibration_error_of_a_shifted_score_is_the_shift() -> None:
    score = np.full(1000, 0.4)
    truth = np.arange(1000) < 600
    assert METRICS["calibration_error"].value(binary(truth, truth, score)) == pytest.approx(
        0.2, abs=1 / 2048
    )


def test_certain_and_wrong_scores_have_a_finite_loss() -> None:
    truth, score = np.array([0, 1, 1, 0]), np.array([1.0, 0.0, 1.0, 0.0])
    merged = binary(truth, truth, score)
    assert_allclose(METRICS["log_loss"].value(merged), sk.log_loss(truth, score), rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("mae", sk.mean_absolute_error),
        ("rmse", sk.root_mean_squared_error),
        ("mape", sk.mean_absolute_percentage_error),
        ("r2", sk.r2_score),
    ],
)
def test_regression_metrics_are_exact(name: str, peer: Callable[..., float]) -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(100, 20, 500)
    guess = truth + rng.normal(0, 5, 500)
    tiles = [regression(truth[i], guess[i]) for i in split(500, 9)]
    assert_allclose(
        METRICS[name].value(Outcomes.stack(tiles).total()), peer(truth, guess), rtol=1e-9
    )


def test_a_class_that_the_model_does_not_know_has_no_chance() -> None:
    scores = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])
    found = multiclass(["rain", "hail"], ["sun", "sun"], CLASSES, scores)
    expected = [-np.log(0.3), -np.log(np.finfo(float).eps)]
    assert float(METRICS["log_loss"].value(found)) == pytest.approx(np.mean(expected))


def test_multiclass_metrics_are_exact() -> None:
    rng = np.random.default_rng(4)
    scores = rng.dirichlet([1, 2, 3], 800)
    truth = np.array([rng.choice(CLASSES, p=row) for row in scores])
    guess = np.array(CLASSES)[scores.argmax(axis=1)]
    tiles = [multiclass(truth[i], guess[i], CLASSES, scores[i]) for i in split(800, 5)]

    merged = Outcomes.stack(tiles).total()

    assert_allclose(METRICS["accuracy"].value(merged), sk.accuracy_score(truth, guess))
    assert_allclose(METRICS["f1"].value(merged), sk.f1_score(truth, guess, average="macro"))
    expected = sk.log_loss(truth, scores, labels=CLASSES)
    assert_allclose(METRICS["log_loss"].value(merged), expected, rtol=1e-12)


def test_a_class_that_nobody_knows_counts_as_wrong() -> None:
    merged = multiclass(["fog", "sun"], ["sun", "sun"], CLASSES)
    assert METRICS["accuracy"].value(merged) == 0.5
    assert np.isnan(METRICS["log_loss"].value(merged))


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "recall"])
def test_metrics_without_positives_are_undefined(name: str) -> None:
    merged = binary([0, 0], [0, 1], [0.1, 0.2])
    value = METRICS[name].value(merged)
    assert np.isnan(value)


@pytest.mark.parametrize("task", Task)
def test_no_rows_give_no_value(task: Task) -> None:
    nothing = Outcomes.empty(task, classes=3 if task is Task.MULTICLASS else 0)
    for metric in METRICS.values():
        if task in metric.tasks:
            assert np.isnan(metric.value(nothing))


@given(st.floats(0, 1))
def test_every_score_lies_in_its_bin(score: float) -> None:
    bounds = edges()
    (number,) = bin_of(np.array([score]))
    assert 0 <= number < BINS
    assert bounds[number] <= score
    assert score < bounds[number + 1] or number == BINS - 1


def test_metrics_agree_with_those_that_configuration_knows() -> None:
    for name, kind in tolerance.METRICS.items():
        metric = metric_of(name, OwnMetrics(value=CostMatrix(false_negative=-100)))
        assert metric.tasks == kind.tasks
        assert metric.higher_is_better == (kind.better is tolerance.Better.HIGHER)
