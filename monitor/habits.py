"""What is normal for a column of the reference: how its windows vary, and what they never do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import ndtri, stdtrit

from monitor.profiles.model import ColumnProfile, Profile
from monitor.variation import MINIMUM_WINDOWS, Variation, learn, shrink

#: One-sided chance that a usual window lies beyond a prediction limit.
_RARE = 0.001
_RARE_Z = float(ndtri(1 - _RARE))
#: Windows with fewer rows say little about shares and are left out.
MINIMUM_ROWS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Habit:
    """What the windows of the reference do in one column.

    Parameters
    ----------
    variation
        How much its bins vary between windows.
    null_limit
        Share of nulls that a usual window stays below.
    constant_windows
        Windows in which the column had a single value; None when there were too few windows.
    part_rows, part_null_limit
        The same limit for windows of at most so many rows: a quarter of a day varies more than a
        day. None when there were too few parts.
    """

    variation: Variation
    null_limit: float
    constant_windows: int | None
    part_rows: int = 0
    part_null_limit: float | None = None

    def null_limit_of(self, rows: int) -> float:
        """Return the share of nulls that usual windows of so many rows stay below.

        Examples
        --------
        >>> usual = Variation(windows=30, effective=30.0, extra=0.0, directions=4.0)
        >>> habit = Habit(variation=usual, null_limit=0.2, constant_windows=0,
        ...               part_rows=250, part_null_limit=0.6)
        >>> habit.null_limit_of(500), habit.null_limit_of(120)
        (0.2, 0.6)
        """
        if self.part_null_limit is None or rows > self.part_rows:
            return self.null_limit
        return max(self.null_limit, self.part_null_limit)

    def to_dict(self) -> dict[str, Any]:
        """Return the habit as plain JSON types."""
        return {
            "variation": self.variation.to_dict(),
            "null_limit": self.null_limit,
            "constant_windows": self.constant_windows,
            "part_rows": self.part_rows,
            "part_null_limit": self.part_null_limit,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            variation=Variation.from_dict(data["variation"]),
            null_limit=data["null_limit"],
            constant_windows=data["constant_windows"],
            part_rows=data.get("part_rows", 0),
            part_null_limit=data.get("part_null_limit"),
        )


def learn_habits(
    windows: Sequence[Profile], whole: Profile, parts: Sequence[Profile] = ()
) -> dict[str, Habit]:
    """Learn the habits of every column.

    Parameters
    ----------
    windows
        Profiles of disjoint windows of the reference, in order of time.
    whole
        The profile of the whole reference.
    parts
        Profiles of quarters of those windows: what is usual where only a part of a window is
        there, and where there are too few windows to tell.
    """
    kept = [window.columns() for window in windows if window.rows >= MINIMUM_ROWS]
    quarters = [part.columns() for part in parts if part.rows >= MINIMUM_ROWS]
    shares = [[part.null_share for part in column] for column in zip(*quarters, strict=True)] or [
        [] for _ in whole.layout.columns
    ]
    half = int(np.median([window.rows for window in windows]) / 2) if windows else 0
    columns = list(zip(*kept, strict=True)) or [() for _ in whole.layout.columns]
    variations = shrink(
        [
            _variation(parts, column.bins)
            for parts, column in zip(columns, whole.layout.columns, strict=True)
        ]
    )
    return {
        column.name: Habit(
            variation=variation,
            null_limit=null_limit([window.null_share for window in of_column], column, of_parts),
            constant_windows=_constant(of_column),
            part_rows=half,
            part_null_limit=_predicted(of_parts) if len(of_parts) >= MINIMUM_WINDOWS else None,
        )
        for of_column, of_parts, variation, column in zip(
            columns, shares, variations, whole.columns(), strict=True
        )
    }


def null_limit(
    shares: Sequence[float], column: ColumnProfile, of_parts: Sequence[float] = ()
) -> float:
    """Return the share of nulls that a usual window stays below.

    With enough windows it is the one-sided 99.9 % prediction limit of the next window's share,
    and never below the highest share seen; with too few, that of the next part of a window, which
    varies more; else the Wilson limit of the whole reference's share.
    """
    for known in (shares, of_parts):
        if len(known) >= MINIMUM_WINDOWS:
            return _predicted(known)
    return wilson_limit(column.null_share, column.rows, upper=True)


def _predicted(shares: Sequence[float]) -> float:
    count = len(shares)
    spread = float(np.std(shares, ddof=1))
    quantile = float(stdtrit(count - 1, 1 - _RARE))
    limit = float(np.mean(shares)) + quantile * spread * math.sqrt(1 + 1 / count)
    return min(max(limit, *shares), 1.0)


def wilson_limit(share: float, rows: int, *, upper: bool) -> float:
    """Return one end of the two-sided 99.8 % Wilson score interval of a share.

    References
    ----------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of
    the American Statistical Association 22 (1927) 209-212.

    Examples
    --------
    >>> round(wilson_limit(0.5, 100, upper=True), 3), wilson_limit(0.0, 0, upper=False)
    (0.648, 0.0)
    """
    if rows == 0:
        return 1.0 if upper else 0.0
    z = _RARE_Z
    middle = share + z * z / (2 * rows)
    width = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    value = (middle + (width if upper else -width)) / (1 + z * z / rows)
    return min(max(value, 0.0), 1.0)


def is_constant(column: ColumnProfile) -> bool:
    """Whether all values of a column are the same, and there are some."""
    if column.minimum is not None:
        return column.minimum == column.maximum
    return column.values > 0 and int(column.counts.max()) == column.values and not column.unseen


def _variation(parts: Sequence[ColumnProfile], bins: int) -> Variation:
    counts = [part.counts for part in parts]
    return learn(np.array(counts, dtype=np.int64).reshape(len(counts), bins))


def _constant(parts: Sequence[ColumnProfile]) -> int | None:
    judged = [part for part in parts if part.values >= MINIMUM_ROWS]
    if len(judged) < MINIMUM_WINDOWS:
        return None
    return sum(is_constant(part) for part in judged)
