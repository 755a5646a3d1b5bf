"""The stretches of time that a table is profiled in: as long as the results allow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.detection.past import MINIMUM_UNITS
from monitor.performance.blocks import MINIMUM_DAYS
from watchkeeper.window import DAY, Window, window_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Some tiles that are profiled as one.

    Parameters
    ----------
    start
        The first tile's; the profile is kept under it.
    tiles
        Starts of the tiles.
    known_until
        Until when labels count as known; None counts all.
    """

    start: datetime
    tiles: tuple[datetime, ...]
    known_until: datetime | None = None


def pieces_of_window(
    tiles: Sequence[datetime], zone: ZoneInfo, known_until: datetime | None
) -> list[Piece]:
    """Return the pieces of a window: local days, if it has so many that intervals go by them."""
    days = _by_day(tiles, zone)
    parts = days if len(days) >= MINIMUM_DAYS else [(tile,) for tile in tiles]
    return [Piece(start=part[0], tiles=part, known_until=known_until) for part in parts]


def pieces_of_reference(
    tiles: Sequence[datetime],
    size: timedelta,
    zone: ZoneInfo,
    known_until: datetime | None,
) -> list[Piece]:
    """Return the pieces of a reference: local days or windows, whichever is shorter.

    A reference of few days is cut into tiles, since its intervals go by them, and so that the
    detector of decay has parts enough to learn from.
    """
    if len(_by_day(tiles, zone)) < max(MINIMUM_DAYS, MINIMUM_UNITS):
        parts: Iterable[tuple[datetime, ...]] = [(tile,) for tile in tiles]
    elif size >= DAY:
        parts = _by_day(tiles, zone)
    else:
        windows: dict[Window, list[datetime]] = {}
        for tile in tiles:
            windows.setdefault(window_at(tile, size, zone), []).append(tile)
        parts = [tuple(part) for part in windows.values()]
    return [Piece(start=part[0], tiles=part, known_until=known_until) for part in parts]


def _by_day(tiles: Sequence[datetime], zone: ZoneInfo) -> list[tuple[datetime, ...]]:
    days: dict[object, list[datetime]] = {}
    for tile in tiles:
        days.setdefault(tile.astimezone(zone).date(), []).append(tile)
    return [tuple(part) for part in days.values()]
