"""Every policy, and the rules that hold for all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.excess import accumulate, per_row_loss
from retrain.model import (
    Action,
    ConsideredWindow,
    Judgement,
    PolicyState,
    Situation,
    Terms,
)
from retrain.policy import POLICIES, attempt_cost, judge
from watchkeeper.window import Window

START = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LEVEL = 0.4


def window(number: int, loss: float | None, *, drifted: bool = False) -> ConsideredWindow:
    start = START + number * DAY
    return ConsideredWindow(
        window=Window(start=start, end=start + DAY),
        version=1,
        labels=0 if loss is None else 500,
        loss=loss,
        standard_error=None if loss is None else 0.02,
        drifted=drifted,
    )


def judged(
    losses: list[float | None],
    *,
    policy: str = "excess_loss",
    state: PolicyState | None = None,
    minimum_labels: int = 1000,
    after: int = 20,
    fits: int = 1,
    drifted: bool = False,
) -> Judgement:
    windows = [window(number, loss) for number, loss in enumerate(losses)]
    if drifted:
        windows.append(window(len(losses), 0.4, drifted=True))
    return judge(
        Situation(
            terms=Terms(
                policy=policy,
                metric="log_loss",
                cost=100,
                cooldown=timedelta(days=7),
                minimum_labels=minimum_labels,
                fits=fits,
            ),
            state=state or PolicyState(model="flights", level=LEVEL),
            windows=tuple(windows),
            trained_at=START,
            now=START + after * DAY,
        )
    )


def test_it_never_retrains_when_the_policy_is_never() -> None:
    assert judged([9.0] * 5, policy="never").action is Action.NOT_DUE


def test_a_schedule_counts_from_the_last_training() -> None:
    assert judged([0.4] * 5, policy="schedule:30d", after=29).action is Action.NOT_DUE
    assert judged([0.4] * 5, policy="schedule:30d", after=30).action is Action.QUEUED


def test_a_schedule_counts_from_the_last_attempt_too() -> None:
    tried = PolicyState(model="flights", attempted_at=START + 20 * DAY)

    assert judged([0.4] * 5, policy="schedule:30d", after=40, state=tried).action is Action.NOT_DUE


def test_drift_looks_at_the_newest_window_only() -> None:
    assert judged([0.4] * 5, policy="drift").action is Action.NOT_DUE
    assert judged([0.4] * 5, policy="drift", drifted=True).action is Action.QUEUED


def test_excess_loss_is_due_when_it_exceeds_the_cost() -> None:
    """Each day adds (0.5 - 0.4 - 0.5 x 0.02) x 500 = 45."""
    assert judged([0.5] * 2).action is Action.NOT_DUE
    due = judged([0.5] * 3)

    assert due.action is Action.QUEUED
    assert due.reason == "135 excess log-loss units since 1 June, cost 100"


def test_a_search_is_charged_for_its_further_fits() -> None:
    assert judged([0.5] * 3, fits=5).action is Action.NOT_DUE
    assert judged([0.5] * 4, fits=5).action is Action.QUEUED


def test_windows_without_mature_labels_are_not_judged() -> None:
    assert judged([0.5, None, None, 0.5]).action is Action.NOT_DUE


def test_without_a_reference_level_it_waits_and_says_so() -> None:
    result = judged([9.0] * 5, state=PolicyState(model="flights"))

    assert result.action is Action.NOT_DUE
    assert "no reference level" in result.reason


def test_it_waits_for_labels() -> None:
    result = judged([0.5] * 3, minimum_labels=2000)

    assert result.action is Action.NOT_DUE
    assert result.reason.endswith("waiting for mature labels: 1500 of 2000")


def test_it_cools_down_after_an_attempt() -> None:
    state = PolicyState(model="flights", level=LEVEL, attempted_at=START + 15 * DAY)

    assert judged([0.5] * 9, state=state, after=21).action is Action.NOT_DUE
    assert judged([0.5] * 9, state=state, after=22).action is Action.QUEUED


def test_it_escalates_after_a_useless_retrain_and_tries_again_only_later() -> None:
    state = PolicyState(
        model="flights", level=LEVEL, attempted_at=START, useless=1, last_run=7, carried=50
    )

    assert judged([0.5] * 9, state=state, after=6).action is Action.NOT_DUE
    escalated = judged([0.5] * 9, state=state, after=7)
    assert escalated.action is Action.ESCALATED
    assert escalated.reason == (
        "escalate: 455 excess log-loss units since 1 June, cost 100, but the last retrain did not "
        "help (last: run 7); a person should look, next attempt from 15 June"
    )
    assert judged([0.5] * 9, state=state, after=14).action is Action.QUEUED


def test_the_pause_grows_with_useless_retrains_but_not_for_ever() -> None:
    state = PolicyState(model="flights", level=LEVEL, attempted_at=START, useless=40, last_run=9)

    assert judged([0.5] * 9, state=state, after=55).action is Action.ESCALATED
    assert judged([0.5] * 9, state=state, after=56).action is Action.QUEUED


@given(st.lists(st.floats(0, 2), max_size=30), st.floats(0, 1000))
def test_the_account_is_never_negative_and_says_since_when(
    losses: list[float], carried: float
) -> None:
    excess = accumulate(
        [window(number, loss) for number, loss in enumerate(losses)], level=0.7, carried=carried
    )

    assert excess.amount >= 0
    assert excess.since is None or excess.amount > 0


@given(st.lists(st.floats(0, 2), min_size=2, max_size=30), st.data())
def test_adding_up_in_two_parts_gives_the_same_amount(
    losses: list[float], data: st.DataObject
) -> None:
    windows = [window(number, loss) for number, loss in enumerate(losses)]
    cut = data.draw(st.integers(0, len(windows)))
    first = accumulate(windows[:cut], level=0.7)

    both = accumulate(windows[cut:], level=0.7, carried=first.amount)

    assert both.amount == pytest.approx(accumulate(windows, level=0.7).amount)


def test_noise_about_the_level_does_not_add_up() -> None:
    calm = [window(number, LEVEL + (0.02 if number % 2 else -0.02)) for number in range(200)]

    assert accumulate(calm, level=LEVEL).amount < 10


def test_scores_count_by_their_distance_from_one() -> None:
    assert per_row_loss(0.9, higher_is_better=True) == pytest.approx(0.1)
    assert per_row_loss(12.5, higher_is_better=False) == 12.5


def test_every_policy_of_the_table_is_documented() -> None:
    assert all(policy.__doc__ for policy in POLICIES.values())


def test_days_are_named_in_the_zone_of_the_model() -> None:
    situation = Situation(
        terms=Terms(
            policy="excess_loss",
            metric="log_loss",
            cost=1,
            cooldown=DAY,
            minimum_labels=0,
            zone=ZoneInfo("Europe/Berlin"),
        ),
        state=PolicyState(model="flights", level=LEVEL),
        windows=(
            ConsideredWindow(
                window=Window(
                    start=datetime(2013, 6, 30, 22, tzinfo=UTC),
                    end=datetime(2013, 7, 1, 22, tzinfo=UTC),
                ),
                version=1,
                labels=500,
                loss=0.9,
                standard_error=0.02,
            ),
        ),
        trained_at=START,
        now=START + 40 * DAY,
    )

    assert "since 1 July" in judge(situation).reason


def test_one_fit_costs_the_plain_cost() -> None:
    terms = Terms(policy="never", metric="mae", cost=10, cooldown=DAY, minimum_labels=0, fits=1)

    assert attempt_cost(terms) == 10
