"""What is usual for each declared segment: how its windows vary, and how well the model does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

from monitor.habits import Habit, learn_habits
from monitor.performance.blocks import blocks_of
from monitor.performance.interval import Performance, measure
from monitor.performance.table import Metric
from monitor.profiles.model import Profile
from monitor.profiles.segments import Segment


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentHabits:
    """What is usual for one segment.

    Parameters
    ----------
    habits
        By column.
    performance
        The metric that decides; None without labels.
    """

    habits: Mapping[str, Habit]
    performance: Performance | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {
            "habits": {name: habit.to_dict() for name, habit in self.habits.items()},
            "performance": None if self.performance is None else asdict(self.performance),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        performance = data["performance"]
        return cls(
            habits={name: Habit.from_dict(habit) for name, habit in data["habits"].items()},
            performance=None if performance is None else Performance(**performance),
        )


def learn_segments(
    windows: Sequence[Profile],
    tiles: Mapping[datetime, Profile],
    whole: Profile,
    *,
    metric: Metric,
    zone: ZoneInfo,
) -> dict[Segment, SegmentHabits]:
    """Learn what is usual for every segment of a reference.

    Parameters
    ----------
    windows
        Profiles of its disjoint windows, in order of time.
    tiles
        Profiles of its tiles by their start.
    whole
        The profile of all its rows.
    metric
        The one that the tolerance is about.
    """
    found = {}
    for segment, profile in whole.segments.items():
        own = [window.segments[segment] for window in windows if segment in window.segments]
        outcomes = {
            start: tile.segments[segment].outcomes
            for start, tile in tiles.items()
            if segment in tile.segments
        }
        found[segment] = SegmentHabits(
            habits=learn_habits(own, profile),
            performance=measure(metric, blocks_of(outcomes, zone)) if profile.labels else None,
        )
    return found


def segments_to_list(segments: Mapping[Segment, SegmentHabits]) -> list[Any]:
    """Return the habits of all segments as plain JSON types."""
    return [[*segment, habits.to_dict()] for segment, habits in segments.items()]


def segments_from_list(data: Sequence[Any]) -> dict[Segment, SegmentHabits]:
    """Read what ``segments_to_list`` wrote."""
    return {(column, value): SegmentHabits.from_dict(habits) for column, value, habits in data}
