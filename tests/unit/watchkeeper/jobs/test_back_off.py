"""A failed run waits longer each time, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.jobs.model import back_off


@given(st.integers(min_value=1, max_value=10**9))
def test_the_wait_is_bounded_however_often_it_failed(attempt: int) -> None:
    assert 10 <= back_off(attempt) <= 3600
