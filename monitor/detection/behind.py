"""Which models of a fleet have fallen behind it: what all do together is taken off each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from monitor.statistics.multiple_testing import benjamini_hochberg
from watchkeeper.fleets import LEAST

Floats = NDArray[np.float64]

#: Windows that are tested together, each number of them by itself; a change must last two.
SPANS = (2, 3, 5, 8)
#: How alike a model's neighbouring units are counts as one past against so many of the fleet.
_SHRINKAGE = 10
#: The likeness of neighbours is learned over at most this part of the past.
_REACH = 4
#: A window this many standard errors above what is usual, or more, is not clear.
_CLEAR = 1.0
#: One window counts as at most so many standard errors: a single bad day is no change.
_MOST = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """What is remembered of one model.

    Parameters
    ----------
    past
        How far behind the fleet it was in each unit of time of its first windows. It is what later
        windows are held against.
    recent
        Means of the newest windows after those, oldest first, at most ``max(SPANS)`` of them.
    settled, settled_windows
        Mean over the windows that have left ``recent`` while it was not behind, and their number.
    alarmed
        Whether it has alarmed, and the trouble lasts.
    clear
        Clear windows in a row since then.
    """

    past: tuple[float, ...] = ()
    recent: tuple[float, ...] = ()
    settled: float = 0.0
    settled_windows: int = 0
    alarmed: bool = False
    clear: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the track as plain JSON types."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        recent = [None if math.isnan(each) else each for each in self.recent]
        return plain | {"past": list(self.past), "recent": recent}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        recent = tuple(math.nan if each is None else each for each in data["recent"])
        return cls(**(data | {"past": tuple(data["past"]), "recent": recent}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What one window says of one model.

    Parameters
    ----------
    p_value
        Chance of as large a rise without one, adjusted over the models.
    rise, windows
        How much further behind than before, over how many of the newest windows: where that has
        the smallest p-value, or in the newest window when nothing has risen. NaN without a value.
    alarmed, fresh
        Whether it has alarmed and the trouble lasts; whether it alarms with this window.
    """

    p_value: float
    rise: float
    windows: int
    alarmed: bool
    fresh: bool


def behind_fleet(harm: Floats) -> Floats:
    """Return how far behind the fleet each model is: its harm less that of the middle model.

    As in a median polish (Tukey 1977), what most models do together is no model's own.

    Parameters
    ----------
    harm
        How much worse than its reference each model is, in units that mean the same for all, such
        as what it tolerates; shape ``(models, units)``, NaN where unknown.

    Returns
    -------
    numpy.ndarray
        Likewise; NaN where fewer than eight models are known.

    References
    ----------
    J. W. Tukey, "Exploratory Data Analysis", 1977.

    Examples
    --------
    >>> behind_fleet(np.array([[0.2]] * 8 + [[1.7]])).round(1)[-1].tolist()
    [1.5]
    """
    common = np.full(harm.shape[1], np.nan)
    known = np.isfinite(harm).sum(axis=0) >= LEAST
    common[known] = np.nanmedian(harm[:, known], axis=0)
    return np.asarray(harm - common)


def advance(
    tracks: Sequence[Track],
    behind: Floats,
    *,
    per_window: int = 1,
    run: float,
    clear_windows: int,
    least: float = 0.0,
) -> tuple[list[Track], list[Said]]:
    """Take in one window of all models.

    The mean of the newest two, three, five and eight windows is held against the past, and against
    the past with all settled windows: the first finds what comes slowly, the second knows more.
    A window counts as at most three standard errors, for its tails may be heavy.
    The smallest p-value counts eight times (Bonferroni), and the models are adjusted together
    (Benjamini & Hochberg 1995). A model alarms where that is at most ``1 / run``, so that quiet
    windows alarm less often than once in ``run``, over the whole fleet. An alarm lasts until
    ``clear_windows`` windows are back within one standard error, or within ``least``, without one
    between them that is not.

    Parameters
    ----------
    tracks
        One per model; their pasts are equally long.
    behind
        Mean over the window by model, NaN where it has none.
    per_window
        Units of the past in a window.
    run
        Quiet windows that are to lie between two alarms of the fleet.
    least
        A smaller rise is no alarm, however certain.

    Raises
    ------
    ValueError
        A past has fewer than two units.
    """
    if not tracks:
        return [], []
    usual = _Usual.of(np.array([track.past for track in tracks]), per_window)
    tracks = [_with(track, value) for track, value in zip(tracks, behind.tolist(), strict=True)]
    weights = per_window * np.array([track.settled_windows for track in tracks])
    settled = np.array([track.settled for track in tracks])
    units = usual.units + weights
    bases = (
        (usual.level, np.full(len(tracks), usual.units)),
        ((usual.level * usual.units + settled * weights) / units, units),
    )
    smallest, rise, windows = _smallest(usual, tracks, bases, least)
    p_value = benjamini_hochberg(smallest)
    level, known = bases[1]
    near = behind - level < np.maximum(_CLEAR * usual.error(1, known), least)
    after, said = [], []
    for place, before in enumerate(tracks):
        fresh = not before.alarmed and bool(p_value[place] <= 1 / run)
        is_near = bool(near[place]) if math.isfinite(behind[place]) else None
        track = _followed(before, fresh=fresh, near=is_near, clear_windows=clear_windows)
        after.append(track)
        said.append(
            Said(
                p_value=float(p_value[place]),
                rise=float(rise[place]),
                windows=int(windows[place]),
                alarmed=track.alarmed,
                fresh=fresh,
            )
        )
    return after, said


def _followed(track: Track, *, fresh: bool, near: bool | None, clear_windows: int) -> Track:
    """Return the track after its window was judged; without a value nothing ends."""
    if not track.alarmed:
        return replace(track, alarmed=fresh)
    clear = track.clear if near is None else (track.clear + 1) * near
    if clear < clear_windows:
        return replace(track, clear=clear)
    # What was bad before would raise the next alarm at once.
    return replace(track, alarmed=False, clear=0, recent=track.recent[-clear_windows:])


def _with(track: Track, value: float) -> Track:
    """Return the track with one more window; the oldest settles, unless the model is behind."""
    recent = (*track.recent, value)
    if len(recent) <= max(SPANS):
        return replace(track, recent=recent)
    oldest, count = recent[0], track.settled_windows
    if track.alarmed or math.isnan(oldest):
        return replace(track, recent=recent[1:])
    return replace(
        track,
        recent=recent[1:],
        settled=(track.settled * count + oldest) / (count + 1),
        settled_windows=count + 1,
    )


def _smallest(
    usual: _Usual,
    tracks: Sequence[Track],
    bases: Sequence[tuple[Floats, Floats]],
    least: float,
) -> tuple[Floats, Floats, Floats]:
    """Return the smallest p-value by model over all that is compared, with its rise and span."""
    recent = np.array([(math.nan,) * (max(SPANS) - len(t.recent)) + t.recent for t in tracks])
    rise = recent[:, -1] - bases[-1][0]
    most = bases[-1][0] + _MOST * usual.error(1, bases[-1][1])
    counted = np.minimum(recent, most[:, None])
    smallest, windows = np.ones(len(tracks)), np.ones(len(tracks))
    for span in SPANS:
        # A span with a hole says nothing: the windows in it are not those that were promised.
        newest = recent[:, -span:].mean(axis=1)
        limited = counted[:, -span:].mean(axis=1)
        for level, units in bases:
            risen = newest - level
            error = usual.error(span, units)
            scaled = np.where(error > 0, (limited - level) / np.where(error > 0, error, 1.0), 0.0)
            p_value = np.where(risen >= least, stdtr(usual.degrees, -scaled), 1.0)
            better = p_value < smallest
            smallest = np.where(better, p_value, smallest)
            rise, windows = np.where(better, risen, rise), np.where(better, span, windows)
    return np.minimum(len(SPANS) * len(bases) * smallest, 1.0), rise, windows


@dataclass(frozen=True, kw_only=True, slots=True)
class _Usual:
    """How each model's past varies.

    ``variance`` is that of a sum of units, by unit; ``degrees`` are those of its estimate.
    """

    level: Floats
    variance: Floats
    degrees: Floats
    units: int
    per_window: int

    @classmethod
    def of(cls, past: Floats, per_window: int) -> Self:
        """Learn it: the deviation from each model, how alike neighbours are from all of them.

        That is the sum of correlations with Bartlett's weights (Newey & West 1987).
        """
        models, units = past.shape
        if units < 2:
            raise ValueError(f"a past needs at least two units, got {units}")
        level = past.mean(axis=1)
        deviation = past.std(axis=1, ddof=1)
        scaled = (past - level[:, None]) / np.where(deviation > 0, deviation, 1.0)[:, None]
        reach = max(1, min(max(per_window, max(SPANS) - 1), units // _REACH))
        growth = np.ones(models)
        for lag in range(1, reach):
            product = (scaled[:, lag:] * scaled[:, :-lag]).sum(axis=1) / units
            growth += 2 * (1 - lag / reach) * product
        # Taking the mean off makes sums too alike by so much; never less than independent units.
        growth = np.maximum(growth * units / (units - reach), 1.0)
        share = _SHRINKAGE / (1 + _SHRINKAGE) if models > 1 else 0.0
        growth = share * growth.mean() + (1 - share) * growth
        # The likeness is known from so many sums of all models, the deviation from each alone.
        likeness = max(units / reach * (1 + share * (models - 1)) - 1, 1.0)
        alone = np.maximum(units / growth - 1, 1.0)
        return cls(
            level=level,
            variance=deviation**2 * growth,
            degrees=1 / (1 / likeness + 1 / alone),
            units=units,
            per_window=per_window,
        )

    def error(self, windows: int, units: Floats) -> Floats:
        """Return the standard error of so many windows less a level known from so many units."""
        return np.asarray(np.sqrt(self.variance * (1 / (windows * self.per_window) + 1 / units)))
