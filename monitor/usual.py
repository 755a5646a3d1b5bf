"""What is usual for the data of a reference: shares, levels and runs that its windows have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Self

import numpy as np
from scipy.special import stdtrit

from monitor.habits import MINIMUM_ROWS, is_constant, wilson_limit
from monitor.profiles.model import ColumnProfile, Extent, Profile
from monitor.profiles.quality_counts import HOURS
from monitor.variation import MINIMUM_WINDOWS

#: One-sided chance that a usual window lies beyond a prediction limit.
_RARE = 0.001
#: Windows of the beginning, in which everything is new, are not asked for what was new.
_SETTLED = 0.25
#: Values of a window that say where its level is.
_FEWEST_VALUES = 10
#: With so many times the variance between windows of that within them a column moves slowly.
_SLOW = 4
#: Values that cannot all be the same by accident.
SOME = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnUsual:
    """What is usual for one column.

    Parameters
    ----------
    coarse, mistyped
        Shares of such values that a usual window stays below.
    novel, beyond
        Largest share of a window of the reference that earlier windows did not know: categories,
        and values farther outside their range than it is wide.
    means
        Between which the mean of a usual window lies; None when unknown.
    deviations
        Smallest and largest standard deviation within its windows; None when unknown.
    slow
        Whether it varies so much more between windows than within them that its range is unknown.
    longest_hours
        How long at most it has had one and the same number, as far as the tiles can tell; None
        when unknown.
    windows, constant
        Windows with some values, and those of them in which it had a single value.
    """

    coarse: float = 1.0
    mistyped: float = 0.0
    novel: float = 0.0
    beyond: float = 0.0
    means: tuple[float, float] | None = None
    deviations: tuple[float, float] | None = None
    slow: bool = False
    longest_hours: float | None = None
    windows: int = 0
    constant: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Usual:
    """What is usual for whole rows and for each column.

    Parameters
    ----------
    copies
        Share of copied rows that a usual window stays below.
    hours
        Mean rows of a window by hour of the day in UTC, and 0 for hours that any window lacks;
        empty when unknown.
    """

    columns: Mapping[str, ColumnUsual]
    copies: float = 1.0
    hours: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {
            "columns": {name: asdict(column) for name, column in self.columns.items()},
            "copies": self.copies,
            "hours": list(self.hours),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        columns = {
            name: ColumnUsual(**{key: _plain(value) for key, value in column.items()})
            for name, column in data["columns"].items()
        }
        return cls(
            columns=columns,
            copies=data["copies"],
            hours=tuple(data["hours"]),
        )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def learn_usual(
    windows: Sequence[Profile], tiles: Mapping[datetime, Profile], whole: Profile
) -> Usual:
    """Learn what is usual.

    Parameters
    ----------
    windows
        Profiles of disjoint windows of the reference, in order of time.
    tiles
        Profiles of all its tiles by their start.
    whole
        The profile of the whole reference.
    """
    starts = sorted(tiles)
    ordered = [tiles[start].extents() for start in starts]
    parts = [window.columns() for window in windows if window.rows]
    columns = {}
    for index, column in enumerate(whole.columns()):
        columns[column.name] = _column(
            [part[index] for part in parts],
            [(start, tile[index]) for start, tile in zip(starts, ordered, strict=True)],
            column,
        )
    return Usual(
        columns=columns,
        copies=_copies(windows, whole),
        hours=_hours(windows),
    )


def unknown_usual(whole: Profile) -> Usual:
    """Return what can be said of a reference from its whole profile alone."""
    return Usual(columns={column.name: _column([], [], column) for column in whole.columns()})


def share_limit(shares: Sequence[float], share: float, rows: int) -> float:
    """Return what the share of a usual window stays below.

    With enough windows the one-sided 99.9 % prediction limit of the next one's share, and never
    below the highest share seen; else the Wilson limit of the whole share.

    Examples
    --------
    >>> share_limit([0.1] * 10, 0.1, 1000), round(share_limit([], 0.0, 1000), 4)
    (0.1, 0.0095)
    """
    if len(shares) < MINIMUM_WINDOWS:
        return wilson_limit(share, rows, upper=True)
    _, high = _prediction(shares)
    return min(max(high, *shares), 1.0)


def _prediction(values: Sequence[float]) -> tuple[float, float]:
    count = len(values)
    spread = float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / count)
    reach = float(stdtrit(count - 1, 1 - _RARE)) * spread
    return float(np.mean(values)) - reach, float(np.mean(values)) + reach


def _column(
    windows: Sequence[ColumnProfile],
    tiles: Sequence[tuple[datetime, Extent]],
    whole: ColumnProfile,
) -> ColumnUsual:
    judged = [window for window in windows if window.values >= MINIMUM_ROWS]
    some = [window for window in windows if window.values >= SOME]
    return ColumnUsual(
        coarse=_limit(judged, whole, _coarse),
        mistyped=_limit(judged, whole, _mistyped),
        novel=_largest(windows, _novel),
        beyond=_largest(windows, _beyond),
        means=_means(windows),
        deviations=_deviations(windows),
        slow=_is_slow(windows),
        longest_hours=_longest(tiles),
        windows=len(some),
        constant=sum(is_constant(window) for window in some),
    )


def _limit(
    windows: Sequence[ColumnProfile],
    whole: ColumnProfile,
    share: Callable[[ColumnProfile], float],
) -> float:
    return share_limit([share(window) for window in windows], share(whole), whole.values)


def _coarse(column: ColumnProfile) -> float:
    if column.quality is None or not column.values:
        return 1.0
    return column.quality.coarse / column.values


def _mistyped(column: ColumnProfile) -> float:
    return column.quality.mistyped / column.rows if column.quality and column.rows else 0.0


def _largest(
    windows: Sequence[ColumnProfile],
    share: Callable[[ColumnProfile, Sequence[ColumnProfile]], float],
) -> float:
    first = max(round(_SETTLED * len(windows)), 1)
    shares = [share(windows[i], windows[:i]) for i in range(first, len(windows))]
    return max(shares, default=0.0)


def _novel(window: ColumnProfile, before: Sequence[ColumnProfile]) -> float:
    """Return the share of listed categories that no earlier window had."""
    if window.minimum is not None or window.values < SOME:
        return 0.0
    known = np.sum([part.counts for part in before], axis=0)
    return float(window.counts[known == 0].sum()) / window.values


def _beyond(window: ColumnProfile, before: Sequence[ColumnProfile]) -> float:
    """Return 1 for a window that lies mostly far outside the range of all earlier ones."""
    lows = [part.minimum for part in before if part.minimum is not None]
    highs = [part.maximum for part in before if part.maximum is not None]
    mean = window.mean
    if mean is None or not lows:
        return 0.0
    low, high = min(lows), max(highs)
    width = (high - low) or max(abs(high), 1.0)
    return float(mean < low - width or mean > high + width)


def _means(windows: Sequence[ColumnProfile]) -> tuple[float, float] | None:
    means = [w.mean for w in windows if w.mean is not None and w.values >= _FEWEST_VALUES]
    if len(means) < MINIMUM_WINDOWS:
        return None
    low, high = _prediction(means)
    return min(low, *means), max(high, *means)


def _deviations(windows: Sequence[ColumnProfile]) -> tuple[float, float] | None:
    found = [w.deviation for w in windows if w.deviation and w.values >= _FEWEST_VALUES]
    return (min(found), max(found)) if len(found) >= MINIMUM_WINDOWS else None


def _is_slow(windows: Sequence[ColumnProfile]) -> bool:
    known = [w for w in windows if w.mean is not None and w.values >= _FEWEST_VALUES]
    if len(known) < 2:
        return False
    between = float(np.var([w.mean or 0.0 for w in known]))
    within = float(np.mean([(w.deviation or 0.0) ** 2 for w in known]))
    # A column that never moves at all may be an index that moves next month.
    return between + within == 0 or between > _SLOW * within


def _copies(windows: Sequence[Profile], whole: Profile) -> float:
    if whole.quality is None or not whole.rows:
        return 1.0
    shares = [
        window.quality.copies / window.rows
        for window in windows
        if window.quality is not None and window.rows >= MINIMUM_ROWS
    ]
    return share_limit(shares, whole.quality.copies / whole.rows, whole.rows)


def _hours(windows: Sequence[Profile]) -> tuple[float, ...]:
    counted = [window.quality.hours for window in windows if window.quality is not None]
    if len(counted) < max(MINIMUM_WINDOWS, 1) or len(counted) < len(windows):
        return ()
    table = np.array(counted).reshape(-1, HOURS)
    always = (table > 0).all(axis=0)
    return tuple(np.where(always, table.mean(axis=0), 0.0).tolist())


def _longest(tiles: Sequence[tuple[datetime, Extent]]) -> float | None:
    if len(tiles) < 2:
        return None
    # Before and after the tiles that are all the same, parts of others may be as well.
    return longest_run(tiles).hours + 2 * spacing([start for start, _ in tiles])


def spacing(starts: Sequence[datetime]) -> float:
    """Return the hours between neighbouring tiles."""
    gaps = [(later - start).total_seconds() / 3600 for start, later in pairwise(starts)]
    return min(gaps, default=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Tiles in a row with one and the same number; None where there is none."""

    hours: float = 0.0
    rows: int = 0
    tiles: int = 0
    value: float | None = None


def longest_run(tiles: Sequence[tuple[datetime, Extent]]) -> Run:
    """Return the longest run of tiles with one and the same number.

    Tiles without a value do not end a run.
    """
    best: list[tuple[datetime, Extent]] = []
    now: list[tuple[datetime, Extent]] = []
    for start, tile in tiles:
        if tile.minimum is None:
            continue
        same = tile.minimum == tile.maximum
        if now and not (same and now[-1][1].minimum == tile.minimum):
            now = []
        if same:
            now.append((start, tile))
            best = now if len(now) > len(best) else best
    if not best:
        return Run()
    return Run(
        hours=(best[-1][0] - best[0][0]).total_seconds() / 3600,
        rows=sum(tile.values for _, tile in best),
        tiles=len(best),
        value=best[0][1].minimum,
    )
