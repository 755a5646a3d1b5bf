"""Merge the tiles of days that are long past, so that a year of hours is stored as days."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from monitor.profiles.days import StoredDays, Tile
from monitor.profiles.layout import Layout
from monitor.profiles.model import Profile
from monitor.profiles.repository import Profiles, StoredProfile
from monitor.window_store import Windows
from watchkeeper.database import read, write
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import DAY, Window, window_at

#: Days that ended longer ago are merged.
AFTER = timedelta(days=30)
#: Days that one transaction merges: others wait for it no longer than for a window's verdict.
_DAYS_AT_ONCE = 14

LayoutOf = Callable[[Session, int], Layout | None]


def roll_up(engine: Engine, settings: ModelSettings, layout_of: LayoutOf, now: datetime) -> int:
    """Merge the tiles of each day that ended 30 days ago into one profile; return how many days.

    Counts are exact, so that a window reads the same. Only a window that is settled is touched:
    its labels are mature and its verdict stands. When a row or label of such a day comes late, the
    day is divided again and judged on the tiles that it was judged on before.

    A day is one of the model's time zone, 23 or 25 hours where the clocks change. Of windows that
    are shorter, the tiles of each are merged; windows of so many rows stay as they are. Where
    midnight is not on the hour, the hours that belong to two days stay as they are.

    Parameters
    ----------
    layout_of
        The layout of a version's profiles; None for a version without a reference.
    """
    tile = settings.windows.tile
    if settings.windows.rows is not None or min(settings.windows.size, DAY) <= tile:
        return 0
    with read(engine) as session:
        tiles = StoredDays(session).tiles(settings.model, before=now - AFTER)
    days = _days(tiles, settings, now - AFTER)
    done = 0
    while batch := list(islice(days, _DAYS_AT_ONCE)):
        with write(engine) as session:
            StoredDays(session).lock(settings.model)
            for version, day in batch:
                merged = _merged(session, settings, layout_of(session, version), version, day)
                if merged is not None:
                    StoredDays(session).store(day, merged, now)
                    done += 1
    return done


def _days(
    tiles: Sequence[Tile], settings: ModelSettings, before: datetime
) -> Iterator[tuple[int, Window]]:
    """Yield the versions and days that tiles belong to."""

    def place(tile: Tile) -> tuple[int, Window] | None:
        day = day_of(tile.start, settings)
        return None if day is None or day.end > before else (tile.version, day)

    # Tiles of two versions may alternate within a day.
    placed = sorted(filter(None, map(place, tiles)), key=lambda each: (each[1].start, each[0]))
    for each, _ in groupby(placed):
        yield each


def day_of(start: datetime, settings: ModelSettings) -> Window | None:
    """Return the whole hours of the day, or shorter window, of a tile; None outside of them.

    Examples
    --------
    >>> from watchkeeper.model_settings import ModelSettings, Windows
    >>> windows = Windows(size="1d", timezone="Asia/Kolkata")
    >>> settings = ModelSettings.model_construct(windows=windows)
    >>> day = day_of(datetime(2013, 6, 1, 19, tzinfo=UTC), settings)
    >>> day.start.isoformat(), day.end - day.start
    ('2013-06-01T19:00:00+00:00', datetime.timedelta(seconds=82800))
    >>> day_of(datetime(2013, 6, 1, 18, 30, tzinfo=UTC), settings) is None
    True
    """
    size, zone = settings.windows.size, settings.windows.timezone
    day = window_at(start, min(size, DAY), zone)
    whole = Window(start=_hour(day.start + timedelta(hours=1, microseconds=-1)), end=_hour(day.end))
    return whole if start in whole else None


def _hour(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _merged(
    session: Session, settings: ModelSettings, layout: Layout | None, version: int, day: Window
) -> StoredProfile | None:
    """Return the profile of one day; None when something about it is still to be done."""
    model = settings.model
    window = window_at(day.start, settings.windows.size, settings.windows.timezone)
    if layout is None or StoredDays(session).is_marked(model, day):
        return None
    if not Windows(session).is_settled(model, version, window):
        return None
    tiles = Profiles(session).between(model, version, day.start, day.end)
    if not tiles or not all(Profile.is_counted_on(tile.data, layout) for tile in tiles):
        return None
    whole = Profile.merge([Profile.from_bytes(tile.data, layout) for tile in tiles], layout)
    return StoredProfile.of(model, version, day.start, whole)
