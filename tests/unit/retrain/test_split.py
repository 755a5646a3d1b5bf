"""Days are divided in order of time, and never too thinly."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.split import Split, beginnings, fits_of, split_days
from watchkeeper.errors import TrainingError

FIRST = date(2013, 6, 1)


def days(count: int) -> dict[date, int]:
    return {FIRST + timedelta(days=n): 400 for n in range(count)}


@given(st.integers(8, 400), st.booleans())
def test_the_newest_days_judge_and_those_before_choose(count: int, search: bool) -> None:
    split = split_days(days(count), search=search)
    last = FIRST + timedelta(days=count)
    judging = (last - split.judging).days

    assert 4 <= judging <= 10
    if split.choosing is None:
        assert not search or count < 14
        assert (split.judging - FIRST).days >= 4
    else:
        assert search
        assert 3 <= (split.judging - split.choosing).days <= 5
        assert (split.choosing - FIRST).days >= 4


def test_days_without_rows_do_not_count() -> None:
    gaps = days(30) | {FIRST + timedelta(days=n): 0 for n in range(20, 25)}

    assert split_days(gaps, search=False) == Split(judging=date(2013, 6, 18), choosing=None)


def test_too_few_days_are_refused_with_both_numbers() -> None:
    with pytest.raises(TrainingError, match=r"7 days of mature labels .*, expected at least 8"):
        split_days(days(7), search=False)


def test_a_window_of_fixed_length_never_begins_before_the_first_row() -> None:
    first, end = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 3, 1, tzinfo=UTC)

    assert beginnings(timedelta(days=10), first, end) == [end - timedelta(days=10)]
    assert beginnings(timedelta(days=100), first, end) == [first]
    assert beginnings("all", first, end) == [first]
    assert beginnings("search", first, end)[0] == first


def test_every_fit_of_a_search_is_counted() -> None:
    first, end = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 3, 1, tzinfo=UTC)

    assert fits_of("search") == len(beginnings("search", first, end)) + 1
    assert fits_of("all") == fits_of(timedelta(days=7)) == 1
