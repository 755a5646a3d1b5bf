"""Performance of multi-class and regression models is estimated before their labels arrive."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from monitor.estimation.multiclass import ClassEstimator, fit_classes
from monitor.estimation.regression import LossEstimator, fit_losses
from monitor.performance import from_rows
from monitor.performance.table import METRICS
from monitor.profiles.score_cells import CLASS_BINS

CLASSES = ("fog", "rain", "sun")


def classes_drawn(rng: np.random.Generator, n: int, tilt: float = 1.0) -> tuple[Any, Any]:
    scores = rng.dirichlet([tilt, 1, 2], n)
    sharp = scores**0.6
    chance = sharp / sharp.sum(axis=1, keepdims=True)
    return scores, (chance.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)


def class_counts(scores: Any) -> Any:
    guess = scores.argmax(axis=1)
    place = np.minimum((scores * CLASS_BINS).astype(int), CLASS_BINS - 1)
    cells = [
        np.bincount(place[(guess == k) == said, k], minlength=CLASS_BINS)
        for k in range(3)
        for said in (False, True)
    ]
    return np.concatenate(cells)


def test_metrics_of_several_classes_are_what_the_labels_will_say() -> None:
    rng = np.random.default_rng(0)
    scores, labels = classes_drawn(rng, 20_000)
    estimator = fit_classes(labels, scores)
    inside: dict[str, list[bool]] = {}
    for _ in range(60):
        now, truth = classes_drawn(rng, 1500, tilt=2.0)
        names = np.array(CLASSES)
        seen = from_rows.multiclass(names[truth], names[now.argmax(axis=1)], CLASSES, now)
        for each in estimator.expectations(class_counts(now)):
            error = each.value - float(METRICS[each.metric].value(seen))
            inside.setdefault(each.metric, []).append(abs(error) < 1.96 * each.variance**0.5)
    assert {name: np.mean(found) > 0.85 for name, found in inside.items()} == {
        "accuracy": True,
        "f1": True,
        "log_loss": True,
    }


def test_an_estimator_of_classes_survives_storage() -> None:
    rng = np.random.default_rng(1)
    scores, labels = classes_drawn(rng, 500)
    estimator = fit_classes(np.where(labels == 0, 1, labels), scores)
    assert estimator.calibrations[0] is None
    again = ClassEstimator.from_dict(json.loads(json.dumps(estimator.to_dict())))
    counts = class_counts(scores)
    for one, other in zip(again.expectations(counts), estimator.expectations(counts), strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-5)


def test_errors_that_grow_with_the_prediction_are_expected_where_predictions_grow() -> None:
    rng = np.random.default_rng(2)
    edges = (1.0, 2.0, 3.0)
    predicted = rng.uniform(0, 4, 20_000)
    estimator = fit_losses(predicted + rng.normal(0, 1 + predicted), predicted, edges)
    assert estimator is not None
    now = rng.uniform(2, 4, 5000)
    seen = from_rows.regression(now + rng.normal(0, 1 + now), now)
    counts = np.bincount(np.searchsorted(edges, now), minlength=4)
    found = {each.metric: each for each in estimator.expectations(counts)}
    for name in ("mae", "rmse"):
        error = found[name].value - float(METRICS[name].value(seen))
        assert abs(error) < 3 * found[name].variance ** 0.5
    whole = np.bincount(np.searchsorted(edges, predicted), minlength=4)
    assert found["mae"].value > 1.3 * estimator.expectations(whole)[0].value


def test_an_estimator_of_losses_survives_storage_and_needs_rows() -> None:
    rng = np.random.default_rng(3)
    predicted = rng.random(200)
    estimator = fit_losses(predicted + 0.1, predicted, (0.5,))
    assert estimator is not None
    again = LossEstimator.from_dict(json.loads(json.dumps(estimator.to_dict())))
    counts = np.array([10, 20])
    assert again.expectations(counts) == estimator.expectations(counts)
    assert fit_losses(predicted[:99], predicted[:99], (0.5,)) is None
    assert estimator.expectations(np.array([0, 0])) == []
