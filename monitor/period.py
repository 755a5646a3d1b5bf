"""Cycles of a day and of a week in a reference, and whether its windows fit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from monitor.profiles.model import Profile
from watchkeeper.window import DAY, format_duration

Floats = NDArray[np.float64]

WEEK = 7 * DAY
#: Cycles that are looked for; each must have come three times or more.
_MINIMUM_CYCLES = 3
_ROTATIONS = 199
#: Days that are looked at, the newest.
_DAYS = 70
#: Chance of finding a cycle that is not there.
_LEVEL = 0.01
#: A cycle must explain this part of how a series varies within it, or it does not matter.
_MATERIAL = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Cycle:
    """What is known of one cycle.

    Parameters
    ----------
    length
        A day or a week.
    p_value
        Chance of phases that agree as well without a cycle; 1 where it came too seldom to tell.
    share
        Part of the variation within the cycle that its mean explains, in the clearest series.
    known
        Whether it came often enough to tell.
    """

    length: timedelta
    p_value: float
    share: float
    known: bool

    @property
    def found(self) -> bool:
        """Whether there is such a cycle, and it matters."""
        return self.known and self.p_value <= _LEVEL and self.share >= _MATERIAL


def cycles_of(tiles: Mapping[datetime, Profile], zone: ZoneInfo) -> list[Cycle]:
    """Look for cycles in the volume of a reference and in the means of its columns.

    Parameters
    ----------
    tiles
        Profiles of the reference by the start of their tile.
    """
    ordered = sorted(tiles)
    volume = [float(tiles[start].rows) for start in ordered]
    columns = zip(*(tiles[start].columns() for start in ordered), strict=True)
    means = [[np.nan if part.mean is None else part.mean for part in each] for each in columns]
    kept = [series for series in means if np.isfinite(series).any()]
    return find_cycles(ordered, [volume, *kept], zone)


def find_cycles(
    starts: Sequence[datetime], series: Sequence[Sequence[float]], zone: ZoneInfo
) -> list[Cycle]:
    """Look for a cycle of a day in hours, and for one of a week in days.

    Each series is cut into cycles of local time, each cycle is taken off its own mean, and the
    mean over cycles is what they share. Without a cycle it makes no difference if each is rotated
    by a phase of its own, which leaves neighbours neighbours: the p-value is the rank of the
    shared part among such rotations (a randomisation test, Edgington & Onghena 2007). All series
    are rotated together, so that their likeness does no harm.

    Parameters
    ----------
    starts
        Starts of the tiles.
    series
        What each tile holds, one sequence of the length of ``starts`` for each series; NaN where
        there is nothing. The first is a volume: a tile that is missing holds none.

    References
    ----------
    E. S. Edgington and P. Onghena, "Randomization Tests", 4th edition, 2007.

    Examples
    --------
    >>> from datetime import UTC
    >>> hours = [datetime(2013, 6, 3, tzinfo=UTC) + timedelta(hours=h) for h in range(24 * 8)]
    >>> busy = [100.0 if 8 <= hour.hour < 20 else 10.0 for hour in hours]
    >>> [cycle.found for cycle in find_cycles(hours, [busy], ZoneInfo("UTC"))]
    [True, False]
    """
    if not starts:
        return []
    first = min(starts).astimezone(zone).date()
    days = (max(starts).astimezone(zone).date() - first).days + 1
    hourly = np.full((len(series), days, 24), np.nan)
    hourly[0] = 0.0
    total, count = np.zeros_like(hourly), np.zeros_like(hourly)
    for index, start in enumerate(starts):
        local = start.astimezone(zone)
        place = (local.date() - first).days, local.hour
        for row, values in enumerate(series):
            if np.isfinite(values[index]):
                total[row, *place] += values[index]
                count[row, *place] += 1
    hourly = np.where(count > 0, total / np.where(count > 0, count, 1), hourly)
    # The first and the last day may be cut.
    whole = hourly[:, 1:-1][:, -_DAYS:]
    return [_test(whole, DAY), _test(_weeks(whole), WEEK)]


def note_on(cycles: Sequence[Cycle], size: timedelta, spanned: timedelta) -> str | None:
    """Say how windows and a reference do not fit the cycles that are there; None if they do.

    Parameters
    ----------
    size
        Length of a window.
    spanned
        Length of the reference.

    Examples
    --------
    >>> week = Cycle(length=WEEK, p_value=0.001, share=0.6, known=True)
    >>> note_on([week], DAY, 60 * DAY)[:48]
    'there is a weekly cycle, and windows of 1d see a'
    """
    if spanned < WEEK:
        return (
            f"the reference spans {spanned.days} days: whether weekdays differ cannot be known; "
            f"1w or more would show it"
        )
    missed = [cycle for cycle in cycles if cycle.found and size % cycle.length]
    if not missed:
        return None
    longest = max(missed, key=lambda cycle: cycle.length)
    name = "weekly" if longest.length == WEEK else "daily"
    fits = -(-size // longest.length) * longest.length
    return (
        f"there is a {name} cycle, and windows of {format_duration(size)} see a part of it each: "
        f"{format_duration(fits)} fits, or a seasonal reference"
    )


def _weeks(hourly: Floats) -> Floats:
    """Return the means of days by week, shape ``(series, weeks, 7)``."""
    known = np.isfinite(hourly)
    sums, counts = np.where(known, hourly, 0.0).sum(axis=2), known.sum(axis=2)
    daily = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    weeks = daily.shape[1] // 7
    return daily[:, : weeks * 7].reshape(len(daily), weeks, 7)


def _test(cycles: Floats, length: timedelta) -> Cycle:
    """Test whether cycles agree in their phases; shape ``(series, cycles, phases)``."""
    _, number, phases = cycles.shape
    if number < _MINIMUM_CYCLES:
        return Cycle(length=length, p_value=1.0, share=0.0, known=False)
    away = _level(cycles)
    spread = (away**2).mean(axis=(1, 2))
    varied = spread > 0
    if not varied.any():
        return Cycle(length=length, p_value=1.0, share=0.0, known=True)
    away = away[varied] / np.sqrt(spread[varied])[:, None, None]
    shared = (away.mean(axis=1) ** 2).mean(axis=1)
    generator = np.random.default_rng(number)
    above = 0
    places = np.arange(phases)
    for _ in range(_ROTATIONS):
        turned = (places + generator.integers(phases, size=(number, 1))) % phases
        rotated = away[:, np.arange(number)[:, None], turned]
        above += float((rotated.mean(axis=1) ** 2).mean()) >= float(shared.mean())
    # Independent cycles share a part of 1 / number by chance.
    part = (float(shared.max()) - 1 / number) / (1 - 1 / number)
    return Cycle(
        length=length, p_value=(1 + above) / (_ROTATIONS + 1), share=max(part, 0.0), known=True
    )


def _level(cycles: Floats) -> Floats:
    """Take the mean and the slope of each cycle off it; what is unknown becomes the mean.

    A series that drifts rises within every cycle alike, which is no cycle.
    """
    known = np.isfinite(cycles)
    count = np.maximum(known.sum(axis=2, keepdims=True), 1)
    mean = np.where(known, cycles, 0.0).sum(axis=2, keepdims=True) / count
    away = np.where(known, cycles - mean, 0.0)
    number, phases = cycles.shape[1:]
    time = np.arange(number * phases, dtype=np.float64)
    flat = np.where(known, cycles, mean).reshape(len(cycles), -1)
    slope = ((flat - flat.mean(axis=1, keepdims=True)) @ (time - time.mean())) / (
        (time - time.mean()) ** 2
    ).sum()
    within = np.arange(phases) - (phases - 1) / 2
    return np.asarray(away - slope[:, None, None] * within * known)
