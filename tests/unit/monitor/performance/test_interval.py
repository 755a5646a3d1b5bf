"""Intervals respect that rows of one tile belong together."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.performance.from_rows import binary, regression
from monitor.performance.interval import measure
from monitor.performance.outcomes import Outcomes
from monitor.performance.table import METRICS, metrics_of
from watchkeeper.schema import Task


def hours(rng: np.random.Generator, *, tiles: int, storm: float) -> list[Outcomes]:
    found = []
    for _ in range(tiles):
        n = int(rng.integers(20, 60))
        level = rng.normal(0, storm)
        score = 1 / (1 + np.exp(-(rng.normal(-1, 1, n))))
        truth = rng.random(n) < 1 / (1 + np.exp(-(np.log(score / (1 - score)) + level)))
        found.append(binary(truth, score > 0.5, score))
    return found


@pytest.mark.parametrize("name", ["log_loss", "roc_auc", "accuracy"])
def test_the_interval_covers_the_long_run_value(name: str) -> None:
    rng = np.random.default_rng(7)
    truth = measure(METRICS[name], hours(rng, tiles=8000, storm=0.7)).value
    assert truth is not None
    covered = 0
    for _ in range(400):
        result = measure(METRICS[name], hours(rng, tiles=24, storm=0.7))
        assert result.lower is not None
        assert result.upper is not None
        covered += result.lower <= truth <= result.upper
    # 95 % up to three standard errors of the simulation, and the usual small loss of few clusters.
    assert 0.905 <= covered / 400 <= 0.985


def test_the_ratio_interval_agrees_with_the_jackknife() -> None:
    tiles = hours(np.random.default_rng(1), tiles=24, storm=0.5)
    ratio = measure(METRICS["log_loss"], tiles)
    left_out = METRICS["log_loss"].value(Outcomes.stack(tiles).without_each())
    jackknife = np.sqrt(23 / 24 * ((left_out - left_out.mean()) ** 2).sum())
    assert ratio.upper is not None
    assert ratio.value is not None
    assert (ratio.upper - ratio.value) / 2.0687 == pytest.approx(jackknife, rel=0.05)


def test_empty_tiles_change_nothing() -> None:
    tiles = hours(np.random.default_rng(2), tiles=5, storm=0.5)
    empty = Outcomes.empty(Task.BINARY)
    for metric in metrics_of(Task.BINARY):
        assert measure(metric, [empty, *tiles, empty]) == measure(metric, tiles)


def test_one_tile_has_an_interval_for_means_only() -> None:
    rng = np.random.default_rng(5)
    label = rng.normal(0, 1, 100)
    only = [regression(label, np.zeros(100))]
    mae = measure(METRICS["mae"], only)
    assert mae.lower is not None
    assert mae.upper is not None
    assert mae.upper - mae.lower == pytest.approx(
        2 * 1.984 * np.abs(label).std(ddof=1) / 10, rel=1e-3
    )
    assert measure(METRICS["rmse"], only).lower is None


def test_no_labels_give_no_value() -> None:
    result = measure(METRICS["mae"], [Outcomes.empty(Task.REGRESSION)])
    assert (result.value, result.lower, result.labels, result.clusters) == (None, None, 0, 0)


def test_an_undefined_leave_out_leaves_the_interval_open() -> None:
    tiles = [binary([0, 1], [0, 1], [0.2, 0.7]), binary([0, 0], [0, 0], [0.1, 0.3])]
    result = measure(METRICS["roc_auc"], tiles)
    assert result.value == 1.0
    assert result.lower is None
