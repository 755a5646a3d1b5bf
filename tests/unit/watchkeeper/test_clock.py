from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.clock import SteppedClock, SystemClock, aware

START = datetime(2013, 6, 1, tzinfo=UTC)


@given(st.lists(st.integers(min_value=-1000, max_value=1000)))
def test_a_stepped_clock_never_goes_back(steps: list[int]) -> None:
    clock = SteppedClock(START)
    seen = [clock.now()]
    for step in steps:
        clock.advance_to(START + timedelta(seconds=step))
        seen.append(clock.now())

    assert seen == sorted(seen)
    assert clock.now() == START + timedelta(seconds=max([0, *steps]))


def test_a_stepped_clock_may_be_moved_by_several_threads() -> None:
    clock = SteppedClock(START)

    def advance() -> None:
        for second in range(1000):
            clock.advance_to(START + timedelta(seconds=second))

    threads = [threading.Thread(target=advance) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.now() == START + timedelta(seconds=999)


def test_the_systems_clock_goes_on() -> None:
    clock = SystemClock()

    assert clock.now() <= clock.now()


def test_an_instant_of_another_zone_is_given_in_utc() -> None:
    east = timezone(timedelta(hours=2))

    assert aware(datetime(2013, 6, 1, 2, tzinfo=east)).isoformat() == "2013-06-01T00:00:00+00:00"


def test_a_naive_instant_is_refused() -> None:
    naive = datetime(2013, 6, 1)  # noqa: DTZ001 - the very thing that is refused
    clock = SteppedClock(START)

    with pytest.raises(ValueError, match="expected a datetime with a time zone"):
        clock.advance_to(naive)
    with pytest.raises(ValueError, match="expected a datetime with a time zone"):
        SteppedClock(naive)
