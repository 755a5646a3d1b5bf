from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.window import (
    Window,
    format_duration,
    parse_duration,
    window_at,
    windows_between,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NEW_YORK = ZoneInfo("America/New_York")

#: Zones whose clocks change at two, at midnight, by half an hour, not at all, or by a whole day.
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "America/New_York",
        "America/Sao_Paulo",
        "America/Havana",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "Pacific/Apia",
    )
]
SIZES = [HOUR / 4, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY]
INSTANTS = st.datetimes(
    datetime(2005, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    datetime(2020, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(INSTANTS, st.sampled_from(SIZES), st.sampled_from(ZONES))
def test_a_window_holds_the_instant_it_was_asked_for(
    instant: datetime, size: timedelta, zone: ZoneInfo
) -> None:
    window = window_at(instant, size, zone)

    assert instant in window
    assert window_at(window.start, size, zone) == window
    assert window_at(window.end - timedelta(microseconds=1), size, zone) == window


@given(INSTANTS, st.sampled_from(SIZES), st.sampled_from(ZONES))
def test_windows_leave_no_gap_and_do_not_overlap(
    instant: datetime, size: timedelta, zone: ZoneInfo
) -> None:
    windows = list(windows_between(instant, instant + 10 * size, size, zone))

    assert all(left.end == right.start for left, right in pairwise(windows))
    assert all(instant <= window.start and window.end <= instant + 10 * size for window in windows)


def test_the_clocks_change_makes_a_short_and_a_long_day() -> None:
    spring = window_at(at("2013-03-10T12:00"), DAY, NEW_YORK)
    autumn = window_at(at("2013-11-03T12:00"), DAY, NEW_YORK)

    assert spring == Window(start=at("2013-03-10T05:00"), end=at("2013-03-11T04:00"))
    assert autumn == Window(start=at("2013-11-03T04:00"), end=at("2013-11-04T05:00"))


def test_a_day_whose_midnight_does_not_exist_starts_at_its_first_instant() -> None:
    day = window_at(at("2013-10-20T12:00"), DAY, ZoneInfo("America/Sao_Paulo"))

    assert day == Window(start=at("2013-10-20T03:00"), end=at("2013-10-21T02:00"))


def test_a_repeated_midnight_belongs_to_the_new_day() -> None:
    day = window_at(at("2013-11-03T12:00"), DAY, ZoneInfo("America/Havana"))

    assert day == Window(start=at("2013-11-03T04:00"), end=at("2013-11-04T05:00"))


def test_a_date_that_a_zone_left_out_has_no_window() -> None:
    days = list(
        windows_between(
            at("2011-12-28T00:00"), at("2012-01-03T00:00"), DAY, ZoneInfo("Pacific/Apia")
        )
    )

    assert [day.end - day.start for day in days] == [DAY] * len(days)
    assert len(days) == 5


def test_a_repeated_hour_is_two_windows() -> None:
    hours = list(windows_between(at("2013-11-03T04:00"), at("2013-11-04T05:00"), HOUR, NEW_YORK))

    assert len(hours) == 25


def test_a_week_starts_on_a_monday_of_the_zone() -> None:
    week = window_at(at("2013-06-02T02:00"), 7 * DAY, NEW_YORK)

    assert week.start.astimezone(NEW_YORK).isoformat() == "2013-05-27T00:00:00-04:00"


@pytest.mark.parametrize(
    ("size", "message"),
    [(36 * HOUR, "must be whole days, got 36h"), (7 * HOUR, "must divide it, got 7h")],
)
def test_a_size_that_cannot_be_aligned_is_refused(size: timedelta, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        window_at(at("2013-06-01T00:00"), size, NEW_YORK)


def test_the_end_of_a_window_is_outside() -> None:
    window = Window(start=at("2013-06-01T00:00"), end=at("2013-06-02T00:00"))

    assert window.start in window
    assert window.end not in window


def test_a_window_backwards_or_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before it starts"):
        Window(start=at("2013-06-02T00:00"), end=at("2013-06-01T00:00"))
    with pytest.raises(ValueError, match="aware"):
        Window(start=datetime(2013, 6, 1), end=at("2013-06-02T00:00"))  # noqa: DTZ001


@given(st.integers(min_value=1, max_value=10**6), st.sampled_from("smhdw"))
def test_a_duration_is_read_back_as_it_was_written(number: int, unit: str) -> None:
    duration = parse_duration(f"{number}{unit}")

    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "1", "d", "0d", "-1d", "1.5h", "1 month", "1d2h", "٣d\n x"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as"):
        parse_duration(text)
