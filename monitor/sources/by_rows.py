"""Windows of so many rows: a table told by a clock that ticks once a row."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from monitor.profiles.connection import instant
from monitor.profiles.query import EPOCH, MICROSECOND
from monitor.sources.mapping import known_at, time_of
from monitor.sql import identifier, select
from monitor.tables import Table, Tables
from watchkeeper.model_settings import ModelSettings, Windows
from watchkeeper.tiling import default_tile
from watchkeeper.window import DAY, Window

#: When the counted clock of a log starts.
START = datetime(2000, 1, 3, tzinfo=UTC)
#: What a window may last on the counted clock, longest first; each divides a day.
_LENGTHS = tuple(timedelta(minutes=minutes) for minutes in (1440, 720, 360, 180, 60, 30, 15, 5, 1))
#: Columns of the copy; a table of a stranger hardly has one of that name.
_KNOWN_AT = "watchkeeper_known_at"
_TIME, _NUMBER = "watchkeeper_time", "watchkeeper_number"
_ARRIVAL, _KNOWN = "watchkeeper_arrival", "watchkeeper_known"


@dataclass(frozen=True, kw_only=True)
class CountedClock:
    """The time of a table's rows, and the counted time that stands for it.

    Parameters
    ----------
    instants
        When the first row of each window has its time, and last of all when the last row has.
    start, length
        When the first window starts on the counted clock, and how long each of them lasts there.
    """

    instants: tuple[datetime, ...]
    start: datetime
    length: timedelta

    def real(self, counted: datetime) -> datetime:
        """Return when an instant of the counted clock is; within a window time passes evenly.

        Examples
        --------
        >>> days = [datetime(2013, 6, day, tzinfo=UTC) for day in (1, 5, 6)]
        >>> clock = CountedClock(instants=tuple(days), start=START, length=DAY)
        >>> [clock.real(START + number * DAY).day for number in (0, 0.5, 1, 9)]
        [1, 3, 5, 6]
        """
        number, past = divmod(counted - self.start, self.length)
        if not 0 <= number < len(self.instants) - 1:
            return self.instants[0 if number < 0 else -1]
        first, last = self.instants[number : number + 2]
        return first + past / self.length * (last - first)

    def window(self, counted: Window) -> Window:
        """Return the times of the first row of a window and of the first one after it."""
        return Window(start=self.real(counted.start), end=self.real(counted.end))

    def counted(self, real: datetime) -> datetime:
        """Return when a time has come on the counted clock.

        Examples
        --------
        >>> days = [datetime(2013, 6, day, tzinfo=UTC) for day in (1, 5, 6)]
        >>> clock = CountedClock(instants=tuple(days), start=START, length=DAY)
        >>> (clock.counted(datetime(2013, 6, 3, tzinfo=UTC)) - START) / DAY
        0.5
        """
        number = bisect_right(self.instants, real) - 1
        if not 0 <= number < len(self.instants) - 1:
            return self.start + (0 if number < 0 else len(self.instants) - 1) * self.length
        first, last = self.instants[number : number + 2]
        return self.start + (number + (real - first) / (last - first)) * self.length


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A table on the counted clock, the settings that read it, and the way back."""

    table: Table
    settings: ModelSettings
    clock: CountedClock


def count_rows(
    tables: Tables,
    table: Table,
    settings: ModelSettings,
    *,
    reference_of: CountedClock | None = None,
) -> Counted:
    """Tell a table by a clock on which every ``windows.rows`` rows are one window of time.

    Rows are in the order of their time and, where that is the same, of arrival: a survey's
    year is one instant. Everything that judges windows of time then judges windows of
    rows, in the same code. A label is known when the rows before that time have been seen.

    Parameters
    ----------
    reference_of
        The clock of a log that the table is the reference of: it ends where that one starts.

    Returns
    -------
    Counted
        The table is a sorted copy, which `tables` removes when it is closed.
    """
    rows = settings.windows.rows or table.rows
    ordered = _ordered(tables, table, settings)
    first = select(
        [f"epoch_us({_TIME})"], ordered.source, f"WHERE {_NUMBER} % {rows} = 0 ORDER BY 1"
    )
    last = select([f"epoch_us(max({_TIME}))"], ordered.source)
    firsts = tables.query(ordered, first)
    found = [*firsts, *tables.query(ordered, last)]
    instants = tuple(EPOCH + microseconds * MICROSECOND for (microseconds,) in found)
    length, start = _length(instants), START
    if reference_of is not None:
        length = reference_of.length
        start = reference_of.start - len(firsts) * length
    clock = CountedClock(instants=instants, start=start, length=length)
    return Counted(
        table=_retimed(tables, ordered, settings, clock, rows),
        settings=_settings(settings, clock),
        clock=clock,
    )


def _ordered(tables: Tables, table: Table, settings: ModelSettings) -> Table:
    """Return the table with the number ``k``, time ``t`` and time of knowledge of each row."""
    time, known = time_of(table, settings), known_at(table, settings)
    timed = select(["*", f"{time} AS {_TIME}", f"row_number() OVER () AS {_ARRIVAL}"], table.source)
    number = f"row_number() OVER (ORDER BY {_TIME}, {_ARRIVAL}) - 1 AS {_NUMBER}"
    numbered = select(["*", number], f"({timed})")
    columns = [f"* EXCLUDE ({_ARRIVAL})", f"{known} AS {_KNOWN}"]
    return tables.copy(table.name, select(columns, f"({numbered})", f"ORDER BY {_NUMBER}"))


def _retimed(
    tables: Tables, ordered: Table, settings: ModelSettings, clock: CountedClock, rows: int
) -> Table:
    # A label that is known at the time of its own row, or of one like it, is known at once.
    ends = select([f"{_TIME} AS time", f"max({_NUMBER}) AS last"], ordered.source, "GROUP BY 1")
    joined = f"{ordered.source} AS r ASOF LEFT JOIN ({ends}) AS e ON r.{_KNOWN} > e.time"
    seen = f"GREATEST(r.{_NUMBER}, COALESCE(e.last, 0))"
    time = identifier(settings.timestamp)
    columns = [
        f"r.* EXCLUDE ({_TIME}, {_NUMBER}, {_KNOWN}) "
        f"REPLACE ({_tick(f'r.{_NUMBER}', clock, rows)} AS {time})",
        f"{_tick(seen, clock, rows)} AS {_KNOWN_AT}",
    ]
    return tables.copy(ordered.name, select(columns, joined, f"ORDER BY r.{_NUMBER}"))


def _tick(number: str, clock: CountedClock, rows: int) -> str:
    """Return SQL for the instant of a row on the counted clock."""
    length = clock.length // MICROSECOND
    within = f"({number} // {rows}) * {length} + ({number} % {rows}) * {length} // {rows}"
    return f"{instant(clock.start)} + to_microseconds({within})"


def _length(instants: tuple[datetime, ...]) -> timedelta:
    """Return what a window may last on the counted clock: about what it lasts, at most a day.

    Longer ones would be judged by their days, which on this clock are stretches of rows.
    """
    usual = _usual(instants) or DAY
    return next((length for length in _LENGTHS if length <= usual), _LENGTHS[-1])


def _usual(instants: tuple[datetime, ...]) -> timedelta | None:
    """Return how long a window lasts usually; None where all are of one instant.

    Where most are, as in a survey whose rows have the time of their year, it is the mean.
    """
    spans = sorted(b - a for a, b in pairwise(instants))
    if not spans:
        return None
    return spans[len(spans) // 2] or (instants[-1] - instants[0]) / len(spans) or None


def _settings(settings: ModelSettings, clock: CountedClock) -> ModelSettings:
    utc = ZoneInfo("UTC")
    windows = Windows(size=clock.length, timezone=utc, tile=default_tile(clock.length, utc))
    windows = windows.lasting(_usual(clock.instants) or clock.length)
    label = settings.label.model_copy(
        update={"delay": _counted_delay(settings.label.delay, clock), "available_at": _KNOWN_AT}
    )
    return settings.model_copy(update={"windows": windows, "label": label})


def _counted_delay(delay: timedelta, clock: CountedClock) -> timedelta:
    """Return the longest that a whole window waits for its labels."""
    # The last window has fewer rows, so that time seems to fly in it.
    last = clock.instants[-2]
    known = [(end + delay, number) for number, end in enumerate(clock.instants[1:-1], start=1)]
    waits = [
        clock.counted(at) - (clock.start + number * clock.length)
        for at, number in known
        if at <= last
    ]
    return max(waits, default=clock.length if delay else timedelta(0))
