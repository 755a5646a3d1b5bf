from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.jobs.model import MissedRuns, back_off, catch_up

START = datetime(2013, 6, 1, tzinfo=UTC)
HOURS = [START + timedelta(hours=hour) for hour in range(6)]
GRACE = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("policy", "minutes_late", "expected"),
    [
        (MissedRuns.ALL, 0, HOURS),
        (MissedRuns.LATEST, 0, HOURS[-1:]),
        (MissedRuns.LATEST, 59, HOURS[-1:]),
        (MissedRuns.SKIP, 10, HOURS[-1:]),
        (MissedRuns.SKIP, 11, []),
    ],
)
def test_the_policy_says_what_is_run_after_a_pause(
    policy: MissedRuns, minutes_late: int, expected: list[datetime]
) -> None:
    now = HOURS[-1] + timedelta(minutes=minutes_late)

    assert catch_up(HOURS, policy=policy, now=now, grace=GRACE) == expected


def test_nothing_is_run_before_its_time() -> None:
    assert catch_up(HOURS, policy=MissedRuns.ALL, now=HOURS[2], grace=GRACE) == HOURS[:3]


def test_of_very_many_only_the_newest_are_run() -> None:
    chosen = catch_up(HOURS, policy=MissedRuns.ALL, now=HOURS[-1], grace=GRACE, at_most=2)

    assert chosen == HOURS[-2:]


@given(st.lists(st.sampled_from(HOURS)), st.sampled_from(MissedRuns), st.sampled_from(HOURS))
def test_it_only_ever_chooses_what_was_offered(
    times: list[datetime], policy: MissedRuns, now: datetime
) -> None:
    chosen = catch_up(times, policy=policy, now=now, grace=GRACE)

    assert set(chosen) <= set(times)
    assert chosen == sorted(chosen)


@given(st.integers(min_value=1, max_value=10**9))
def test_the_wait_is_bounded_however_often_it_failed(attempt: int) -> None:
    assert 10 <= back_off(attempt) <= 3600
