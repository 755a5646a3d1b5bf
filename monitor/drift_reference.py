"""What the columns of one window are compared with: the fixed reference, or windows before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.habits import Habit, learn_habits
from monitor.profiles.bins import ProfileBins
from monitor.profiles.model import Profile
from monitor.reference import Reference


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftReference:
    """What the columns of one window are compared with.

    It never judges performance: decay is measured from the fixed reference alone, or a slow one
    would become the measure of itself.

    Parameters
    ----------
    bins
        Of the fixed reference, whatever the rows come from.
    profile
        Of the rows that are comparable; without any, nothing can be said about the window.
    habits
        By column: how much comparable windows vary.
    note
        What a person must know about the choice; empty for the whole fixed reference.
    """

    bins: ProfileBins
    profile: Profile
    habits: Mapping[str, Habit]
    note: str = ""


def fixed(reference: Reference, note: str = "") -> DriftReference:
    """Compare with the whole fixed reference."""
    return DriftReference(
        bins=reference.bins, profile=reference.profile, habits=reference.habits, note=note
    )


def in_season(reference: Reference, season: Profile, note: str) -> DriftReference:
    """Compare with the part of the fixed reference that has the window's season.

    Parameters
    ----------
    season
        Profile of that part; empty when the reference has never seen the season.
    """
    variations = {} if reference.seasons is None else reference.seasons.variations
    habits = {
        name: replace(habit, variation=variations[name])
        for name, habit in reference.habits.items()
        if name in variations
    }
    return DriftReference(bins=reference.bins, profile=season, habits=habits, note=note)


def moving(reference: Reference, windows: Sequence[Profile], note: str) -> DriftReference:
    """Compare with earlier windows, and learn from the same windows how much they vary.

    Parameters
    ----------
    windows
        Profiles of disjoint windows on the bins of the reference, in order of time.
    """
    whole = Profile.merge(windows, reference.bins.layout)
    return DriftReference(
        bins=reference.bins, profile=whole, habits=learn_habits(windows, whole), note=note
    )
