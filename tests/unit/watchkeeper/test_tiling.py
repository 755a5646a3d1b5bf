"""Tiles must fit the windows and the zone that they are merged for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.tiling import default_tile, offset_step, tile_problem
from watchkeeper.window import DAY, window_at

ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"]
SIZES = [timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6), DAY, 7 * DAY]


@pytest.mark.parametrize(
    ("zone", "step"),
    [
        ("Asia/Kolkata", 30),
        ("Asia/Kathmandu", 15),
        ("Australia/Lord_Howe", 30),
        ("Asia/Tokyo", 180),
    ],
)
def test_the_step_divides_the_offsets_of_a_zone(zone: str, step: int) -> None:
    assert offset_step(ZoneInfo(zone)) == timedelta(minutes=step)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("size", SIZES)
@given(days=st.floats(0, 13_000))
def test_every_window_starts_and_ends_at_a_tile(zone: str, size: timedelta, days: float) -> None:
    instant = datetime(2001, 1, 1, tzinfo=UTC) + timedelta(days=days)
    tile = default_tile(size, ZoneInfo(zone))
    window = window_at(instant, size, ZoneInfo(zone))

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert not (window.start - epoch) % tile
    assert not (window.end - epoch) % tile


def test_a_tile_that_does_not_fit_says_what_to_use() -> None:
    problem = tile_problem(timedelta(hours=1), DAY, ZoneInfo("Asia/Kolkata"))

    assert problem == "1h does not divide the offset of Asia/Kolkata from UTC; use 30m"
    assert tile_problem(timedelta(minutes=30), DAY, ZoneInfo("Asia/Kolkata")) is None
