"""Windows of event time: half-open, aligned in the model's time zone, safe across DST."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_MONDAY = date(1970, 1, 5)
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Window:
    """A half-open interval ``[start, end)`` of event time, in UTC.

    Examples
    --------
    >>> day = Window(start=datetime(2013, 6, 1, tzinfo=UTC), end=datetime(2013, 6, 2, tzinfo=UTC))
    >>> datetime(2013, 6, 2, tzinfo=UTC) in day
    False
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window needs aware datetimes")
        if self.end < self.start:
            raise ValueError(f"a window ends before it starts: {self.start} > {self.end}")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


def parse_duration(text: str) -> timedelta:
    """Read ``30s``, ``15m``, ``6h``, ``1d`` or ``2w``.

    Raises
    ------
    ValueError
        The text is none of these, or is zero.

    Examples
    --------
    >>> parse_duration("6h")
    datetime.timedelta(seconds=21600)
    """
    match = re.fullmatch(r"(\d+)\s*([smhdw])", text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"expected a duration such as 15m, 6h, 1d or 2w, got {text!r}")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def format_duration(duration: timedelta) -> str:
    """Write a duration in the largest unit that divides it.

    Examples
    --------
    >>> format_duration(timedelta(hours=36))
    '36h'
    """
    seconds = int(duration.total_seconds())
    for unit in ("w", "d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def window_at(instant: datetime, size: timedelta, zone: ZoneInfo) -> Window:
    """Return the window of ``size`` that holds ``instant``.

    A size of whole days is counted in local calendar days from a Monday, so that a window of one
    day is a local day even when the clocks change (23 or 25 hours), and one of seven days starts
    on a Monday. A shorter size is counted from local midnight of its day; it must divide a day.

    Raises
    ------
    ValueError
        The size is under a day and does not divide one, or over a day and not whole days.

    Examples
    --------
    >>> day = window_at(datetime(2013, 3, 10, 12, tzinfo=UTC), DAY, ZoneInfo("America/New_York"))
    >>> day.end - day.start
    datetime.timedelta(seconds=82800)
    """
    local = instant.astimezone(zone)
    if size >= DAY:
        if size % DAY:
            raise ValueError(f"a window over a day must be whole days, got {format_duration(size)}")
        days = size // DAY
        first = _MONDAY + timedelta(days=(local.date() - _MONDAY).days // days * days)
        return Window(
            start=_midnight(first, zone), end=_midnight(first + timedelta(days=days), zone)
        )
    if DAY % size:
        raise ValueError(f"a window under a day must divide it, got {format_duration(size)}")
    # Elapsed time since local midnight, not wall time: an hour that the clocks repeat counts twice.
    midnight = _midnight(local.date(), zone)
    start = midnight + (instant.astimezone(UTC) - midnight) // size * size
    next_midnight = _midnight(local.date() + DAY, zone)
    return Window(start=start, end=min(start + size, next_midnight))


def windows_between(
    start: datetime, end: datetime, size: timedelta, zone: ZoneInfo
) -> Iterator[Window]:
    """Yield the aligned windows that lie wholly in ``[start, end)``, in order."""
    window = window_at(start, size, zone)
    if window.start < start:
        window = window_at(window.end, size, zone)
    while window.end <= end:
        yield window
        window = window_at(window.end, size, zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
