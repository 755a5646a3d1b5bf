"""A binary model's performance is estimated from scores alone, with an honest interval."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from monitor.estimation.binary import INFLUENCES, BinaryEstimator, expect, fit_binary
from monitor.estimation.calibration import fit_calibration
from monitor.performance import from_rows
from monitor.performance.scores import BINS, bin_of, midpoints
from monitor.performance.table import METRICS


def truth(scores: Any) -> Any:
    return expit(0.7 * logit(np.clip(scores, 1e-6, 1 - 1e-6)) - 0.4)


def drawn(rng: np.random.Generator, n: int, centre: float = 0.0) -> tuple[Any, Any, Any]:
    scores = expit(rng.normal(centre, 1.5, n))
    labels = (rng.random(n) < truth(scores)).astype(int)
    return scores, labels, (scores >= 0.5).astype(int)


def counted(scores: Any, guesses: Any) -> Any:
    return np.bincount(guesses * BINS + bin_of(scores), minlength=2 * BINS)


def fitted(rng: np.random.Generator, n: int) -> BinaryEstimator:
    scores, labels, guesses = drawn(rng, n)
    found = fit_binary(from_rows.binary(labels, guesses, scores))
    assert found is not None
    return found


def test_a_metric_of_shifted_scores_is_what_its_labels_will_say() -> None:
    rng = np.random.default_rng(0)
    estimator = fitted(rng, 20_000)
    scores, labels, guesses = drawn(rng, 20_000, centre=1.0)
    seen = from_rows.binary(labels, guesses, scores)
    for each in estimator.expectations(counted(scores, guesses)):
        error = each.value - float(METRICS[each.metric].value(seen))
        assert abs(error) < 4 * each.variance**0.5, each.metric
        assert abs(error) < 0.02


@pytest.mark.parametrize("metric", INFLUENCES)
def test_the_influence_of_a_label_is_the_slope_of_the_metric(metric: str) -> None:
    rng = np.random.default_rng(1)
    scores, _, guesses = drawn(rng, 3000)
    rows, chance = counted(scores, guesses).reshape(2, BINS).astype(float), truth(midpoints())
    found = INFLUENCES[metric](expect(rows, chance, 10.0))
    step = 1e-6
    for cell in (300, 700, 1100):
        nudged = chance.copy()
        nudged[cell] += step
        values = [
            float(METRICS[metric].value(expect(rows, each, 10.0).outcomes))
            for each in (chance, nudged)
        ]
        assert (found * rows)[:, cell].sum() == pytest.approx(
            (values[1] - values[0]) / step, rel=1e-3, abs=1e-6
        )


def test_a_score_of_exactly_one_costs_what_the_reference_says_it_costs() -> None:
    rng = np.random.default_rng(2)
    scores = np.r_[rng.random(5000), np.ones(2000)]
    labels = (rng.random(7000) < np.where(scores == 1, 0.97, scores)).astype(int)
    guesses = (scores > 0.5).astype(int)
    outcomes = from_rows.binary(labels, guesses, scores)
    estimator = fit_binary(outcomes)
    assert estimator is not None
    found = {each.metric: each for each in estimator.expectations(counted(scores, guesses))}
    realised = float(METRICS["log_loss"].value(outcomes))
    assert found["log_loss"].value == pytest.approx(realised, rel=0.03)


def test_rows_that_the_reference_never_scored_are_reported() -> None:
    rng = np.random.default_rng(3)
    scores = rng.uniform(0.2, 0.4, 4000)
    labels = (rng.random(4000) < scores).astype(int)
    estimator = fit_binary(from_rows.binary(labels, labels, scores))
    assert estimator is not None
    now = np.r_[np.full(300, 0.3), np.full(100, 0.9)]
    assert estimator.outside(counted(now, np.zeros(400, int))) == 0.25


def test_an_estimator_survives_storage() -> None:
    rng = np.random.default_rng(4)
    estimator = fitted(rng, 2000)
    scores, _, guesses = drawn(rng, 500)
    again = BinaryEstimator.from_dict(json.loads(json.dumps(estimator.to_dict())))
    counts = counted(scores, guesses)
    assert again.expectations(counts) == estimator.expectations(counts)


def test_too_few_labels_of_either_class_give_no_calibration() -> None:
    empty = np.zeros(BINS, dtype=np.int64)
    few = empty.copy()
    few[700] = 29
    many = empty.copy()
    many[600] = 1000
    assert fit_calibration(midpoints(), many, few) is None
    assert fit_calibration(midpoints(), few, many) is None


def test_no_rows_give_no_estimate() -> None:
    rng = np.random.default_rng(5)
    assert fitted(rng, 1000).expectations(np.zeros(2 * BINS, dtype=np.int64)) == []


def test_classes_that_the_score_tells_apart_fully_are_calibrated_all_the_same() -> None:
    scores = np.repeat([0.2, 0.8], 500)
    labels = np.repeat([0, 1], 500)
    estimator = fit_binary(from_rows.binary(labels, labels, scores))
    assert estimator is not None
    found = {each.metric: each for each in estimator.expectations(counted(scores, labels))}
    assert found["roc_auc"].value > 0.99
    assert np.isfinite(found["roc_auc"].variance)
