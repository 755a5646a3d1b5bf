"""Tiles of time: the pieces that windows are merged from, and whether they fit a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from math import gcd
from zoneinfo import ZoneInfo

from watchkeeper.window import DAY, format_duration

#: Tiles are aligned in UTC; the zone's offsets in these years must be multiples of them.
_YEARS = range(2000, 2038)
_LARGEST_DEFAULT = timedelta(hours=1)
#: Offered where a tile does not fit, largest first.
_CHOICES = tuple(timedelta(minutes=minutes) for minutes in (60, 30, 15, 5, 1))


@cache
def offset_step(zone: ZoneInfo) -> timedelta:
    """Return the largest duration that divides every offset of ``zone`` from UTC.

    Examples
    --------
    >>> offset_step(ZoneInfo("Asia/Kolkata"))
    datetime.timedelta(seconds=1800)
    >>> offset_step(ZoneInfo("UTC"))
    datetime.timedelta(days=1)
    """
    step = int(DAY.total_seconds())
    for year in _YEARS:
        for month in range(1, 13):
            offset = datetime(year, month, 1, tzinfo=UTC).astimezone(zone).utcoffset()
            step = gcd(step, int((offset or timedelta()).total_seconds()))
    return timedelta(seconds=step)


def default_tile(size: timedelta, zone: ZoneInfo) -> timedelta:
    """Return the largest tile of at most an hour that fits windows of ``size`` in ``zone``."""
    step = min(_LARGEST_DEFAULT, size)
    return next((tile for tile in _CHOICES if tile <= step and _fits(tile, size, zone)), size)


def tile_problem(tile: timedelta, size: timedelta, zone: ZoneInfo) -> str | None:
    """Say why windows of ``size`` in ``zone`` cannot be merged from tiles; None when they can.

    Examples
    --------
    >>> tile_problem(timedelta(hours=1), DAY, ZoneInfo("Asia/Kolkata"))
    '1h does not divide the offset of Asia/Kolkata from UTC; use 30m'
    >>> tile_problem(timedelta(hours=7), DAY, ZoneInfo("UTC"))
    '7h does not divide a window of 1d; use 1h'
    """
    if _fits(tile, size, zone):
        return None
    instead = f"use {format_duration(default_tile(size, zone))}"
    if size % tile or DAY % tile:
        whole = size if size % tile else DAY
        what = f"a window of {format_duration(whole)}"
    else:
        what = f"the offset of {zone.key} from UTC"
    return f"{format_duration(tile)} does not divide {what}; {instead}"


def size_problem(size: timedelta) -> str | None:
    """Say why windows of ``size`` cannot be aligned with days; None when they can."""
    if size > DAY and size % DAY:
        return f"a window over a day must be whole days, got {format_duration(size)}"
    if size < DAY and DAY % size:
        return f"a window under a day must divide it, got {format_duration(size)}"
    return None


def _fits(tile: timedelta, size: timedelta, zone: ZoneInfo) -> bool:
    return not (size % tile or DAY % tile or offset_step(zone) % tile)
