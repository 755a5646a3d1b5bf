"""Windows that are so many rows: where one ends, what they are profiled in, how long they last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.profiles.query import EPOCH, MICROSECOND
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import DAY, Window

#: What a window that is shorter than a day may last, longest first; each divides a day.
_LENGTHS = tuple(
    timedelta(seconds=seconds)
    for seconds in (43200, 21600, 10800, 3600, 1800, 900, 300, 60, 30, 10, 5, 1)
)
#: Intervals go by the parts of a window; so many hours has a day.
_PARTS = 24
_TIME = pa.timestamp("us", tz="UTC")

Instants = NDArray[np.int64]


def cut(times: Instants, rows: int) -> list[int]:
    """Return where windows end, as instants: each holds ``rows`` rows.

    Rows of one instant stay together, so that a window may hold a few more; a batch of one
    instant is never judged in parts. A window ends where the next row is, so it is only known to
    end once that row is there.

    Parameters
    ----------
    times
        Of all rows since the last end, ascending.

    Examples
    --------
    >>> cut(np.array([1, 2, 5, 5, 5, 8, 9]), 2)
    [5, 8]
    """
    ends, start = [], 0
    while start + rows < len(times):
        after = int(np.searchsorted(times, times[start + rows - 1], side="right"))
        if after == len(times):
            break
        ends.append(int(times[after]))
        start = after
    return ends


def following(last: Window | None, times: Instants, rows: int) -> list[Window]:
    """Return the windows that end now.

    Parameters
    ----------
    last
        The window before them, whose end is where they start; None to start with the first row.
    times
        Of all rows from that end on, in microseconds since 1970, ascending.

    Examples
    --------
    >>> seconds = np.array([1, 2, 5, 8, 9]) * 1_000_000
    >>> [(w.start.second, w.end.second) for w in following(None, seconds, 2)]
    [(1, 5), (5, 9)]
    """
    first = times[:1].tolist() if last is None else [(last.end - EPOCH) // MICROSECOND]
    bounds = [EPOCH + at * MICROSECOND for at in [*first, *cut(times, rows)]]
    return [Window(start=start, end=end) for start, end in pairwise(bounds)]


def parts_table(windows: Sequence[Window]) -> pa.Table:
    """Return for each part of the windows when it starts, and when its window ends."""
    parts = [(start, window.end) for window in windows for start in parts_of(window)]
    return pa.table(
        {
            "part": pa.array([start for start, _ in parts], _TIME),
            "until": pa.array([end for _, end in parts], _TIME),
        }
    )


def parts_of(window: Window) -> list[datetime]:
    """Return the starts of the parts that a window is profiled in: 24 of one length.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = Window(start=datetime(2013, 6, 1, tzinfo=UTC), end=datetime(2013, 6, 2, tzinfo=UTC))
    >>> [start.hour for start in parts_of(day)[:3]], len(parts_of(day))
    ([0, 1, 2], 24)
    """
    length = window.end - window.start
    return list(dict.fromkeys(window.start + part * length / _PARTS for part in range(_PARTS)))


def usual_length(span: timedelta) -> timedelta:
    """Return the longest that a window may be said to last and that is not longer than ``span``.

    Examples
    --------
    >>> str(usual_length(timedelta(hours=5))), str(usual_length(timedelta(hours=60)))
    ('3:00:00', '2 days, 0:00:00')
    """
    if span >= DAY:
        return span // DAY * DAY
    return next((length for length in _LENGTHS if length <= span), _LENGTHS[-1])


def lasting(settings: ModelSettings, *, rows: int, span: timedelta) -> ModelSettings:
    """Return settings whose windows last about as long as their rows take to come.

    The alarm budget is in pages a quarter, and what a reference teaches is by time; windows of
    time are returned as they are.

    Parameters
    ----------
    rows, span
        Of the reference.
    """
    wanted = settings.windows.rows
    if wanted is None or rows == 0:
        return settings
    size = usual_length(span * wanted / rows)
    return settings.model_copy(
        update={"windows": settings.windows.model_copy(update={"size": size})}
    )
