"""The seasons of a fixed reference: what its hours look like, and how alike those of one are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self, get_args
from zoneinfo import ZoneInfo

import numpy as np

from monitor.habits import MINIMUM_ROWS
from monitor.profiles.model import Profile
from monitor.seasons import Same, cycle_of, season_of
from monitor.variation import MINIMUM_WINDOWS, Variation, learn, shrink
from watchkeeper.window import DAY

#: The finest seasons first; those are taken that the reference has seen often enough.
_FINEST_FIRST: tuple[Same, ...] = ("hour_of_week", "hour_of_day")


@dataclass(frozen=True, kw_only=True, slots=True)
class SeasonHabits:
    """The seasons of a reference whose windows are shorter than a day.

    Parameters
    ----------
    same
        What windows of one season have in common.
    variations
        By column: how much windows of one season vary, learned from all seasons together.
    profiles
        By season; empty where they are kept elsewhere.
    """

    same: Same
    variations: Mapping[str, Variation]
    profiles: Mapping[int, Profile]

    def to_dict(self) -> dict[str, Any]:
        """Return all but the profiles as plain JSON types."""
        variations = {name: each.to_dict() for name, each in self.variations.items()}
        return {"same": self.same, "variations": variations}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        (same,) = (name for name in get_args(Same) if name == data["same"])
        variations = {n: Variation.from_dict(each) for n, each in data["variations"].items()}
        return cls(same=same, variations=variations, profiles={})


def learn_seasons(
    windows: Sequence[tuple[datetime, Profile]], size: timedelta, zone: ZoneInfo
) -> SeasonHabits | None:
    """Learn the seasons of a reference; None for windows of days, or where it is too short.

    An hour of the night is unlike the day, and comparing it with all hours finds a difference in
    every night. Windows are compared within the hour of the week where the reference has eight
    weeks or more, within the hour of the day where it has eight days. Their variation is learned
    about the mean of each season and shared by all, since each season has few windows.

    Parameters
    ----------
    windows
        Start and profile of disjoint windows of the reference, in order of time.
    size
        Length of a window.
    """
    if size >= DAY or not windows:
        return None
    spanned = windows[-1][0] - windows[0][0] + size
    chosen = [same for same in _FINEST_FIRST if spanned >= MINIMUM_WINDOWS * cycle_of(same)]
    if not chosen:
        return None
    same = chosen[0]
    by_season: dict[int, list[Profile]] = {}
    for start, profile in windows:
        by_season.setdefault(season_of(start, same, zone), []).append(profile)
    layout = windows[0][1].layout
    return SeasonHabits(
        same=same,
        variations=_variations(windows, same, zone),
        profiles={season: Profile.merge(parts, layout) for season, parts in by_season.items()},
    )


def _variations(
    windows: Sequence[tuple[datetime, Profile]], same: Same, zone: ZoneInfo
) -> dict[str, Variation]:
    kept = [(start, profile) for start, profile in windows if profile.rows >= MINIMUM_ROWS]
    seasons = np.array([season_of(start, same, zone) for start, _ in kept], dtype=np.int64)
    columns = zip(*(profile.columns() for _, profile in kept), strict=True)
    parts = list(columns) or [() for _ in windows[0][1].layout.columns]
    learned = [
        learn(np.array([part.counts for part in each]).reshape(len(kept), column.bins), seasons)
        for each, column in zip(parts, windows[0][1].layout.columns, strict=True)
    ]
    names = [column.name for column in windows[0][1].layout.columns]
    return dict(zip(names, shrink(learned), strict=True))
