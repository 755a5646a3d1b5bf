"""The check of how many rows a window holds, against the windows before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from monitor.model import CheckResult, CheckStatus, Family, Threshold
from monitor.subject import Subject
from monitor.variation import MINIMUM_WINDOWS
from watchkeeper.window import DAY

#: One-sided chance that a usual window has so few rows.
_RARE = 0.001
#: A window with less than this part of the usual rows is critical when it is rare as well.
_CRITICAL = 0.25
#: Fewer rows than this part are worth a warning when they are rare as well: where the days of the
#: week are known apart, and where they are not.
_WARNING_BY_WEEKDAY, _WARNING = 0.8, 0.5
#: Weeks of days before a window from which its day of the week is known.
_WEEKS = 3
#: The weekdays must take away this part of the spread to be told apart.
_EXPLAINED = 0.3
#: Part of the windows that must be empty for it to be a habit.
_OFTEN = 0.1
#: Least spread of the logarithm that is believed.
_LEAST_SPREAD = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class _Usual:
    """What a window has; ``empty``: whether it has no row at all at times."""

    rows: float
    limit: float
    warning: float
    empty: bool


def check_volume(subject: Subject, rows: int, before: Sequence[int]) -> CheckResult:
    """Hold the rows of a window against those of the windows before it.

    The limit is the lower 99.9 % prediction limit of the logarithm of one plus the rows. Where the
    days of the week differ, a day is held against those of its own name; else the limit allows for
    weekends and holidays as far as the windows before had them.

    Parameters
    ----------
    before
        Rows of the closed windows before this one, the newest first; with fewer than eight there
        is no habit yet.
    """
    if len(before) < MINIMUM_WINDOWS:
        reason = f"{rows} rows; too few windows before it to know what is usual"
        return _result(subject, rows, None, CheckStatus.INSUFFICIENT_DATA, reason)
    daily = DAY / 2 < subject.window.end - subject.window.start < 2 * DAY
    usual = (_by_weekday(before) if daily else None) or _of_all(before)
    rare = rows < usual.limit or (rows == 0 and not usual.empty)
    status = CheckStatus.OK
    if rare and rows <= _CRITICAL * usual.rows:
        status = CheckStatus.CRITICAL
    elif rare and rows <= usual.warning * usual.rows:
        status = CheckStatus.WARNING
    lowest = min(max(usual.limit, 0.0), _CRITICAL * usual.rows)
    return _result(subject, rows, lowest, status, f"{rows} rows, usually about {usual.rows:.0f}")


def _of_all(before: Sequence[int]) -> _Usual:
    logs = np.log1p(np.asarray(before, dtype=np.float64))
    quantile = float(stdtrit(len(logs) - 1, _RARE))
    spread = float(logs.std(ddof=1)) * math.sqrt(1 + 1 / len(logs))
    return _Usual(
        rows=float(np.median(before)),
        limit=math.expm1(float(logs.mean()) + quantile * spread),
        warning=_WARNING,
        empty=_is_empty_at_times(before),
    )


def _is_empty_at_times(before: Sequence[int]) -> bool:
    """Whether windows without rows are a habit; the newest of them are the outage itself."""
    past = list(dropwhile(lambda rows: rows == 0, before))
    return past.count(0) >= _OFTEN * max(len(past), 1)


def _by_weekday(before: Sequence[int]) -> _Usual | None:
    """Return what is usual for days of this name; None where the names make no difference."""
    weeks = len(before) // 7
    if weeks < _WEEKS:
        return None
    counts = np.asarray(before[: 7 * weeks], dtype=np.float64).reshape(weeks, 7)
    logs = np.log1p(counts)
    # The last of each seven days back has the name of the window's day.
    middles = np.median(logs, axis=0)
    spread = _spread(logs - middles)
    if spread > (1 - _EXPLAINED) * _spread(logs - np.median(logs)):
        return None
    quantile = float(stdtrit(7 * (weeks - 1), _RARE))
    reach = quantile * max(spread, _LEAST_SPREAD) * math.sqrt(1 + math.pi / 2 / weeks)
    return _Usual(
        rows=float(np.median(counts[:, 6])),
        limit=math.expm1(float(middles[6]) + reach),
        warning=_WARNING_BY_WEEKDAY,
        empty=bool(np.median(counts[:, 6]) == 0),
    )


def _spread(residuals: NDArray[np.float64]) -> float:
    """Return the standard deviation, by the median, for a holiday must not widen it."""
    weeks = residuals.shape[0]
    return 1.4826 * float(np.median(np.abs(residuals))) * math.sqrt(weeks / (weeks - 1))


def _result(
    subject: Subject, rows: int, limit: float | None, status: CheckStatus, reason: str
) -> CheckResult:
    return CheckResult(
        measurement=subject.measurement("rows", float(rows), n_current=rows),
        threshold=Threshold(method="windows before", lower=limit),
        family=Family.DATA_CONTRACT,
        check="volume",
        status=status,
        reason=reason,
    )
