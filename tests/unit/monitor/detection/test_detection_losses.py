"""Every metric that a model may be held to is a mean of losses that can be bet against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from monitor.detection.losses import Losses, surrogate_of
from monitor.detection.micro_blocks import micro_block_losses
from monitor.performance import from_rows
from monitor.performance.outcomes import Outcomes
from monitor.performance.scores import BINS, bin_of
from monitor.performance.table import METRICS, metric_of
from watchkeeper import tolerance
from watchkeeper.business_value import CostMatrix
from watchkeeper.own_metrics import OwnMetrics
from watchkeeper.schema import Task

CASES = [(name, task) for name, kind in tolerance.METRICS.items() for task in sorted(kind.tasks)]

OWN = OwnMetrics(value=CostMatrix(true_positive=20, false_positive=-5, false_negative=-100))


def tiles_of(task: Task, tiles: int = 24, rows: int = 60) -> list[Outcomes]:
    generator = np.random.default_rng(3)
    found = []
    for _ in range(tiles):
        if task is Task.REGRESSION:
            truth = generator.normal(50, 10, rows)
            found.append(from_rows.regression(truth, truth + generator.normal(0, 3, rows)))
        elif task is Task.BINARY:
            score = generator.beta(2, 4, rows)
            found.append(from_rows.binary(generator.random(rows) < score, score >= 0.5, score))
        else:
            names = np.array(["a", "b", "c"])
            true = generator.integers(0, 3, rows)
            guess = np.where(generator.random(rows) < 0.7, true, generator.integers(0, 3, rows))
            scores = np.full((rows, 3), 0.15)
            scores[np.arange(rows), guess] = 0.7
            found.append(from_rows.multiclass(names[true], names[guess], list(names), scores))
    return found


def losses_of(metric: str, tiles: Sequence[Outcomes], seed: int = 0) -> Losses:
    surrogate = surrogate_of(metric, tiles[0].task, OWN)
    return surrogate.losses(tiles, np.random.default_rng(seed))


@pytest.mark.parametrize(("metric", "task"), CASES)
def test_the_losses_of_a_window_have_the_metric_as_their_mean(metric: str, task: Task) -> None:
    tiles = tiles_of(task)
    value = float(metric_of(metric, OWN).value(Outcomes.stack(tiles).total()))
    expected = surrogate_of(metric, task, OWN).to_loss(value)
    # Pairs are drawn, and jackknife pseudo-values take off a bias that is small here.
    rough = metric == "roc_auc" or (metric, task) == ("f1", Task.MULTICLASS)
    found = losses_of(metric, tiles).level
    assert found == pytest.approx(expected, abs=0.03 if rough else 1e-3)


@pytest.mark.parametrize(("metric", "task"), CASES)
def test_more_loss_is_more_harm(metric: str, task: Task) -> None:
    to_loss = surrogate_of(metric, task, OWN).to_loss
    better = metric_of(metric, OWN).higher_is_better
    assert (to_loss(0.8) < to_loss(0.7)) is better


def test_groups_of_pairs_have_the_roc_auc_as_their_mean() -> None:
    generator = np.random.default_rng(1)
    score = generator.beta(2, 4, 600)
    truth = generator.random(600) < score
    below, above = (np.bincount(bin_of(score[truth == side]), minlength=BINS) for side in (0, 1))
    auc = float(METRICS["roc_auc"].value(from_rows.binary(truth, score >= 0.5, score)))
    means = [
        micro_block_losses(below, above, np.random.default_rng(seed)).mean() for seed in range(400)
    ]
    assert np.mean(means) == pytest.approx(1 - auc, abs=4 * np.std(means) / 20)


def test_groups_are_one_positive_with_up_to_ten_negatives_and_the_reverse() -> None:
    generator = np.random.default_rng(0)
    many, few = np.full(BINS, 3), np.zeros(BINS, dtype=np.int64)
    few[-1] = 7
    assert micro_block_losses(many, few, generator).tolist() == pytest.approx([0.0] * 7, abs=0.06)
    assert micro_block_losses(few, many, generator).tolist() == pytest.approx([1.0] * 7, abs=0.06)
    assert micro_block_losses(many, 0 * few, generator).size == 0


def test_the_loss_of_a_row_is_capped_where_it_has_no_bound() -> None:
    tile = from_rows.binary([1, 0], [0, 0], [1e-6, 0.5])
    capped = surrogate_of("log_loss", Task.BINARY).losses([tile], np.random.default_rng(0), 2.0)
    assert capped.loss.max() == 2.0


def test_a_business_value_is_bounded_by_what_its_outcomes_are_worth() -> None:
    tile = from_rows.binary([0, 0, 1, 1], [0, 1, 0, 1])
    losses = surrogate_of("business_value", Task.BINARY, OWN).losses(
        [tile], np.random.default_rng(0)
    )
    assert losses.loss == pytest.approx([20 / 120, 25 / 120, 1.0, 0.0])
    assert losses.count.tolist() == [1, 1, 1, 1]
