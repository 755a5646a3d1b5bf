"""The windows that a table holds, and those of them that are its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles

from monitor.sources.counts import TileCount
from watchkeeper.errors import InputError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window, format_duration, window_at

#: The share of the rows, by time, that is the reference where none is given.
REFERENCE_SHARE = 0.2
#: So many windows are needed for their fifth to be one.
_MINIMUM_WINDOWS = 5
#: More are a slip in the times, or windows of the wrong size.
_MAXIMUM_WINDOWS = 100_000
#: A window is cut when it lacks so much of its length at the edge of the log …
_CUT_SHARE = 0.1
#: … and more than all but so many of the others lack there.
_USUAL_DECILE = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedWindow:
    """A window and those of its tiles that hold rows."""

    window: Window
    tiles: tuple[TileCount, ...]

    @property
    def last_known(self) -> datetime | None:
        """When the last of its labels became known; None without labels."""
        known = [tile.last_known for tile in self.tiles if tile.last_known is not None]
        return max(known, default=None)


def plan_windows(counts: Sequence[TileCount], settings: ModelSettings) -> list[PlannedWindow]:
    """Return the windows of a log in order of time, with those between that hold no row.

    Raises
    ------
    InputError
        There are more windows than anybody can mean.
    """
    size, zone = settings.windows.size, settings.windows.timezone
    tiles: dict[Window, list[TileCount]] = {}
    for tile in counts:
        tiles.setdefault(window_at(tile.start, size, zone), []).append(tile)
    if not tiles:
        return []
    first, last = min(tiles), max(tiles)
    if (last.end - first.start) / size > _MAXIMUM_WINDOWS:
        raise InputError(
            f"{settings.model}: the times from {first.start:%Y-%m-%d} to {last.end:%Y-%m-%d} make "
            f"more than {_MAXIMUM_WINDOWS:,} windows of {format_duration(size)}"
        )
    found, window = [], first
    while window.start <= last.start:
        found.append(PlannedWindow(window=window, tiles=tuple(tiles.get(window, ()))))
        window = window_at(window.end, size, zone)
    return found


def whole_windows(windows: Sequence[PlannedWindow], tile: timedelta) -> list[PlannedWindow]:
    """Leave the first and the last window out where the log begins or ends in their midst.

    A feed that rests every night is not cut short by the night: what the other windows lack at
    the same edge is usual.
    """
    kept = list(windows)
    for edge in (0, -1):
        if len(kept) > 1 and _is_cut(kept, edge, tile):
            del kept[edge]
    return kept


def split_reference(
    windows: Sequence[PlannedWindow], settings: ModelSettings, *, asked: ModelSettings | None = None
) -> tuple[list[PlannedWindow], list[PlannedWindow]]:
    """Return the windows of the first fifth of the rows, and the others.

    Parameters
    ----------
    asked
        The settings as they were written, where these stand for others.

    Raises
    ------
    InputError
        There are too few windows for that.
    """
    if len(windows) < _MINIMUM_WINDOWS:
        said = (asked or settings).windows
        size = f"{said.rows:,} rows" if said.rows else format_duration(said.size)
        many = f"{len(windows)} window{'' if len(windows) == 1 else 's'} of {size}"
        raise InputError(
            f"{settings.model}: {many}; the first fifth of the log is "
            f"its reference, so expected at least {_MINIMUM_WINDOWS}, or --reference"
        )
    rows = [sum(tile.rows for tile in planned.tiles) for planned in windows]
    wanted, taken, number = REFERENCE_SHARE * sum(rows), 0, 0
    while taken < wanted and number < len(windows) - 1:
        taken += rows[number]
        number += 1
    return list(windows[:number]), list(windows[number:])


def _is_cut(windows: Sequence[PlannedWindow], edge: int, tile: timedelta) -> bool:
    lacks = [
        _lack(planned, edge, tile)
        for planned in windows
        if planned.tiles and planned is not windows[edge]
    ]
    lack, own = _lack(windows[edge], edge, tile), windows[edge].window
    usual = quantiles(lacks, n=10)[_USUAL_DECILE] if len(lacks) > 2 else 0.0
    return lack > max(usual, _CUT_SHARE * (own.end - own.start).total_seconds())


def _lack(planned: PlannedWindow, edge: int, tile: timedelta) -> float:
    """Return the seconds without rows at one end of a window."""
    if edge == 0:
        return (planned.tiles[0].start - planned.window.start).total_seconds()
    return (planned.window.end - planned.tiles[-1].start - tile).total_seconds()
