"""Seasons of windows: which hour of the week, hour of the day or day of the week one begins in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Same = Literal["hour_of_week", "hour_of_day", "day_of_week"]

_HOURS, _DAYS = 24, 7


def season_of(start: datetime, same: Same, zone: ZoneInfo) -> int:
    """Return the season of a window by the local time at which it starts.

    Returns
    -------
    int
        From 0: hours since Monday's midnight, hours since midnight, or days since Monday.

    Examples
    --------
    >>> from datetime import UTC
    >>> start = datetime(2013, 7, 3, 1, tzinfo=UTC)  # Tuesday, 21:00 in New York
    >>> season_of(start, "hour_of_week", ZoneInfo("America/New_York"))
    45
    >>> season_of(start, "day_of_week", ZoneInfo("America/New_York"))
    1
    """
    local = start.astimezone(zone)
    if same == "hour_of_day":
        return local.hour
    if same == "day_of_week":
        return local.weekday()
    return local.weekday() * _HOURS + local.hour


def cycle_of(same: Same) -> timedelta:
    """Return after how long a season comes again.

    Examples
    --------
    >>> cycle_of("hour_of_day")
    datetime.timedelta(days=1)
    """
    return timedelta(days=1 if same == "hour_of_day" else _DAYS)
