"""Laws of the comparison, hand-worked values, and its rate of false promotions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from retrain.evaluation import (
    Array,
    Verdict,
    clearly_better,
    compare,
    guard,
    loss_name,
    row_losses,
)
from watchkeeper.schema import Task

LOSSES = arrays(float, 40, elements=st.floats(0, 10))
DAYS = np.repeat(np.arange(8), 5)


@given(LOSSES, LOSSES)
def test_swapping_the_models_turns_the_result_round(left: Array, right: Array) -> None:
    forward = compare(left, right, DAYS, metric="log_loss")
    back = compare(right, left, DAYS, metric="log_loss")

    assert forward.lower is not None
    assert back.upper is not None
    assert_allclose(forward.difference, -back.difference, atol=1e-12)
    assert_allclose(forward.lower, -back.upper, atol=1e-12)
    assert (forward.verdict is Verdict.PROMOTE) == (back.verdict is Verdict.KEEP)


@given(LOSSES, LOSSES, st.permutations(range(40)))
def test_the_order_of_rows_does_not_matter(left: Array, right: Array, order: list[int]) -> None:
    plain = compare(left, right, DAYS, metric="log_loss")
    mixed = compare(left[order], right[order], DAYS[order], metric="log_loss")

    assert plain.lower is not None
    assert mixed.lower is not None
    assert_allclose(plain.difference, mixed.difference, atol=1e-9)
    assert_allclose(plain.lower, mixed.lower, atol=1e-9)


def test_a_model_is_never_promoted_over_itself() -> None:
    same = np.linspace(0, 1, 40)

    assert compare(same, same, DAYS, metric="log_loss").verdict is Verdict.INCONCLUSIVE


def test_rows_of_one_day_do_not_count_as_independent() -> None:
    """One lucky day of many rows is no proof, however many rows it has."""
    rng = np.random.default_rng(1)
    days = np.repeat(np.arange(6), [1000, 10, 10, 10, 10, 10])
    champion = rng.normal(1, 0.1, len(days))
    challenger = champion - np.where(days == 0, 0.3, -0.01)

    assert compare(champion, challenger, days, metric="log_loss").verdict is Verdict.INCONCLUSIVE


def test_it_says_when_there_are_too_few_days() -> None:
    result = compare(np.ones(30), np.zeros(30), np.repeat([1, 2, 3], 10), metric="log_loss")

    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.lower is None
    assert result.reason == "3 days of mature labels, expected at least 4"


def test_a_challenger_that_learned_nothing_is_promoted_in_at_most_one_of_twenty() -> None:
    rng = np.random.default_rng(2)
    promoted = 0
    for _ in range(1000):
        gain = np.repeat(rng.normal(0, 1, 10), 20) + rng.normal(0, 1, 200)
        result = compare(gain, np.zeros(200), np.repeat(np.arange(10), 20), metric="log_loss")
        promoted += result.verdict is Verdict.PROMOTE

    assert 25 <= promoted <= 75


def test_a_real_gain_is_found() -> None:
    rng = np.random.default_rng(3)
    days = np.repeat(np.arange(10), 400)
    gain = 0.04 + np.repeat(rng.normal(0, 0.03, 10), 400) + rng.normal(0, 0.3, 4000)

    result = compare(gain, np.zeros(4000), days, metric="log_loss")

    assert result.verdict is Verdict.PROMOTE
    assert result.reason.startswith("the challenger is better: log loss 0.0")


def test_losses_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        compare(np.array([np.inf]), np.array([1.0]), np.array([1]), metric="log_loss")
    with pytest.raises(ValueError, match="got 0, 0 and 0"):
        compare(np.array([]), np.array([]), np.array([]), metric="log_loss")


@pytest.mark.parametrize(
    ("task", "metric", "probabilities", "expected"),
    [
        (Task.BINARY, "log_loss", True, "log_loss"),
        (Task.BINARY, "brier", True, "brier"),
        (Task.BINARY, "accuracy", True, "error"),
        (Task.BINARY, "business_value", True, "shortfall"),
        (Task.BINARY, "log_loss", False, "error"),
        (Task.MULTICLASS, "roc_auc", True, "log_loss"),
        (Task.REGRESSION, "mae", False, "absolute_error"),
    ],
)
def test_every_metric_has_a_loss_of_a_row(
    task: Task, metric: str, probabilities: bool, expected: str
) -> None:
    assert loss_name(task, metric, probabilities=probabilities) == expected


def test_losses_of_many_classes_by_hand() -> None:
    proba = np.array([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])
    truth = np.array([0, 2])
    unused = np.array([0, 0])

    assert_allclose(row_losses("log_loss", truth, unused, proba), [np.log(2), np.log(2)])
    assert_allclose(row_losses("brier", truth, unused, proba), [0.375, 0.5])


def test_a_binary_brier_score_is_the_squared_distance() -> None:
    assert_allclose(
        row_losses("brier", np.array([1, 0]), np.array([1, 0]), np.array([0.9, 0.4])), [0.01, 0.16]
    )


def test_one_certain_and_wrong_row_costs_a_bounded_loss() -> None:
    losses = row_losses("log_loss", np.array([1]), np.array([0]), np.array([0.0]))

    assert 13 < losses[0] < 14


def test_a_shorter_past_must_beat_the_longest_by_more_than_the_noise_of_days() -> None:
    rng = np.random.default_rng(4)
    days = np.repeat(np.arange(5), 100)
    noise = np.repeat(rng.normal(0, 0.02, 5), 100) + rng.normal(0, 0.01, 500)

    assert not clearly_better(0.5 + noise - noise.mean(), np.full(500, 0.5), days)
    assert clearly_better(0.55 + noise, np.full(500, 0.5), days)
    assert not clearly_better(np.full(9, 0.6), np.full(9, 0.5), np.zeros(9))


def test_a_promotion_must_not_worsen_what_the_owner_asked_for() -> None:
    better = compare(np.full(40, 0.6), np.full(40, 0.5), DAYS, metric="log_loss")
    guarded = guard(better, metric="roc_auc", champion=0.8, challenger=0.7, higher=True)

    assert guarded.verdict is Verdict.INCONCLUSIVE
    assert guarded.reason.endswith("but its roc auc is worse: 0.7000 against 0.8000")
    assert guard(better, metric="roc_auc", champion=0.7, challenger=0.8, higher=True) is better
    assert guard(better, metric="mae", champion=0.8, challenger=0.7, higher=False) is better
