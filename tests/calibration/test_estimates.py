"""Estimates without labels are as good as can be, and their 95 % intervals hold 95 %.

The short version can only find gross errors; ``WATCHKEEPER_CALIBRATION=5000`` runs 2,000 windows a
case.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

from monitor.domain_classifier import domain_auc
from monitor.encoding import Encoded
from monitor.estimation.binary import fit_binary
from monitor.estimation.model import Z
from monitor.performance import from_rows
from monitor.performance.metrics import roc_auc
from monitor.performance.scores import BINS, bin_of
from monitor.performance.table import METRICS

WINDOWS = max(int(os.environ.get("WATCHKEEPER_CALIBRATION", "150")) * 2 // 5, 100)
TRIALS = WINDOWS // 8
A_WINDOW = 2_000
WINDOWS_A_REFERENCE = 10

Floats = NDArray[np.float64]
Law = Callable[[Floats], Floats]


def smooth(scores: Floats) -> Floats:
    return np.asarray(expit(0.8 * logit(scores) - 0.3))


def stepped(scores: Floats) -> Floats:
    return np.asarray(
        np.interp(np.floor(scores * 12) / 12, [0, 0.4, 0.5, 1], [0.02, 0.2, 0.7, 0.9])
    )


def scored(generator: np.random.Generator, rows: int, centre: float, width: float) -> Floats:
    drawn = expit(generator.normal(centre, width, rows))
    return np.asarray(np.clip(drawn, 1e-4, 1 - 1e-4))


def counted(scores: Floats) -> NDArray[np.int64]:
    guess = (scores >= 0.5).astype(np.int64)
    return np.bincount(guess * BINS + bin_of(scores), minlength=2 * BINS)


def labelled(generator: np.random.Generator, scores: Floats, law: Law) -> Any:
    labels = (generator.random(len(scores)) < law(scores)).astype(int)
    return from_rows.binary(labels, scores >= 0.5, scores)


def perfect(scores: Floats, law: Law) -> float:
    """Return the AUC that who knows the law expects."""
    order = np.argsort(scores)
    hits = law(scores[order])
    misses = 1 - hits
    below = np.cumsum(misses) - misses / 2
    return float(hits @ below / (hits.sum() * misses.sum()))


def errors_of(law: Law, rows: int, *, shift: bool) -> dict[str, list[tuple[float, bool]]]:
    generator = np.random.default_rng(rows)
    found: dict[str, list[tuple[float, bool]]] = {"floor": []}
    for _ in range(math.ceil(WINDOWS / WINDOWS_A_REFERENCE)):
        seen = scored(generator, rows, -1.0, 1.5)
        estimator = fit_binary(labelled(generator, seen, law))
        assert estimator is not None
        for _ in range(WINDOWS_A_REFERENCE):
            centre = -1.0 + (generator.normal() * 0.7 if shift else 0.0)
            now = scored(generator, A_WINDOW, centre, 1.5)
            outcomes = labelled(generator, now, law)
            found["floor"].append((perfect(now, law) - float(roc_auc(outcomes)), True))
            for each in estimator.expectations(counted(now)):
                error = each.value - float(METRICS[each.metric].value(outcomes))
                inside = abs(error) <= Z * math.sqrt(each.variance)
                found.setdefault(each.metric, []).append((error, inside))
    return found


@pytest.mark.parametrize("shift", [False, True], ids=["same", "shifted"])
@pytest.mark.parametrize("law", [smooth, stepped])
def test_intervals_of_estimates_hold_what_they_promise(law: Law, *, shift: bool) -> None:
    found = errors_of(law, 20_000, shift=shift)
    for metric in ("roc_auc", "accuracy", "f1", "brier", "log_loss"):
        inside = sum(hit for _, hit in found[metric])
        n = len(found[metric])
        assert stats.binom.cdf(inside, n, 0.92) > 0.001, (metric, inside, n)
    size = {name: np.mean(np.abs([error for error, _ in found[name]])) for name in found}
    assert size["roc_auc"] <= (1.3 if shift else 1.15) * size["floor"]


def sides(generator: np.random.Generator, rows: int, *, joined: bool = True) -> Floats:
    base = generator.normal(size=(rows, 2))
    wind = base[:, 0]
    gust = 0.9 * wind + 0.45 * base[:, 1]
    if not joined:
        gust = generator.permutation(gust)
    return np.column_stack([wind, gust, generator.integers(0, 4, rows)])


def told(one: Floats, two: Floats) -> Any:
    names = ("wind", "gust", "carrier")
    encoded = Encoded(reference=one, current=two, names=names, categorical=(False, False, True))
    return domain_auc(encoded, importances=False)


def test_a_classifier_is_fooled_by_chance_no_oftener_than_it_says() -> None:
    generator = np.random.default_rng(0)
    trials = min(TRIALS, 400)
    rejected = 0
    for _ in range(trials):
        n, m = (int(size) for size in generator.choice([150, 400, 900], 2))
        rejected += told(sides(generator, n), sides(generator, m)).p_value < 0.05
    assert stats.binom.cdf(rejected - 1, trials, 0.07) < 0.999


def test_a_classifier_sees_a_join_that_pairs_the_wrong_rows() -> None:
    generator = np.random.default_rng(1)
    found = told(sides(generator, 1500), sides(generator, 1500, joined=False))
    assert found.p_value < 1e-6
    assert found.lower > 0.6
