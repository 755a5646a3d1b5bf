"""What a check of data quality looks at, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.edges import ColumnBins
from monitor.habits import Habit, wilson_limit
from monitor.model import CheckStatus
from monitor.profiles.model import ColumnProfile, Extent, Profile
from monitor.usual import ColumnUsual, Usual

#: A share beyond its usual limit by this part of the room that is left warns, or is critical.
WARNING, CRITICAL = 0.05, 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One column of the window and of the reference, with what is usual for it."""

    current: ColumnProfile
    reference: ColumnProfile
    habit: Habit
    bins: ColumnBins
    usual: ColumnUsual
    tiles: tuple[tuple[datetime, Extent], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """A whole window and the reference.

    Parameters
    ----------
    tiles
        Of the window, in order of time.
    closed
        Whether the window is over and has all its rows; only then some can be missing from it.
    """

    current: Profile
    reference: Profile
    usual: Usual
    pairs: tuple[Pair, ...]
    tiles: Mapping[datetime, Profile]
    closed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one check says of one column, or of whole rows.

    Parameters
    ----------
    value, rows
        The share that was checked, and of how many rows.
    limit
        Where it is critical.
    column
        None for whole rows.
    """

    check: str
    status: CheckStatus
    value: float | None
    rows: int
    limit: float | None
    effect: float | None
    reason: str
    column: str | None = None


def judge_share(
    check: str,
    share: float,
    rows: int,
    limit: float,
    reason: str,
    *,
    column: str | None,
    steps: tuple[float, float] = (WARNING, CRITICAL),
) -> Finding:
    """Hold a share against what is usual, with its own uncertainty.

    Parameters
    ----------
    limit
        Share that a usual window stays below.
    steps
        Parts of the room above the limit from which on it warns, and is critical.
    """
    warning, critical = (limit + part * (1 - limit) for part in steps)
    surely = wilson_limit(share, rows, upper=False)
    status = CheckStatus.OK
    if rows == 0:
        status = CheckStatus.INSUFFICIENT_DATA
    elif surely > critical:
        status = CheckStatus.CRITICAL
    elif surely > warning:
        status = CheckStatus.WARNING
    room = critical - limit
    return Finding(
        check=check,
        status=status,
        value=share if rows else None,
        rows=rows,
        limit=critical,
        effect=max(share - limit, 0.0) / room if rows and room > 0 else None,
        reason=reason if rows else "no values to check",
        column=column,
    )


def found(
    check: str, status: CheckStatus, reason: str, *, rows: int, column: str | None
) -> Finding:
    """Return the finding of a check that sees a break or sees nothing."""
    bad = status in {CheckStatus.WARNING, CheckStatus.CRITICAL}
    known = status is not CheckStatus.INSUFFICIENT_DATA
    return Finding(
        check=check,
        status=status,
        value=float(bad) if known else None,
        rows=rows,
        limit=1.0,
        effect=float(status is CheckStatus.CRITICAL) if known else None,
        reason=reason,
        column=column,
    )
