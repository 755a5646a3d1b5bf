"""The check of how many rows a window holds, against the windows before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from monitor.model import CheckResult, CheckStatus, Family, Threshold
from monitor.subject import Subject
from monitor.variation import MINIMUM_WINDOWS

#: One-sided chance that a usual window has so few rows.
_RARE = 0.001
#: A window with less than this part of the usual rows is critical when it is rare as well.
_CRITICAL = 0.25
#: Fewer rows than this part are worth a warning when they are rare as well.
_WARNING = 0.5


def check_volume(subject: Subject, rows: int, before: Sequence[int]) -> CheckResult:
    """Hold the rows of a window against those of the windows before it.

    The limit is the lower 99.9 % prediction limit of the logarithm of one plus the rows, which
    allows for weekends and holidays as far as the windows before had them.

    Parameters
    ----------
    before
        Rows of the closed windows before this one; with fewer than eight there is no habit yet.
    """
    if len(before) < MINIMUM_WINDOWS:
        reason = f"{rows} rows; too few windows before it to know what is usual"
        return _result(subject, rows, None, CheckStatus.INSUFFICIENT_DATA, reason)
    logs = np.log1p(np.asarray(before, dtype=np.float64))
    usual = float(np.median(before))
    quantile = float(stdtrit(len(logs) - 1, _RARE))
    spread = float(logs.std(ddof=1)) * math.sqrt(1 + 1 / len(logs))
    limit = math.expm1(float(logs.mean()) + quantile * spread)
    rare = rows < limit or rows == 0
    status = CheckStatus.OK
    if rare and rows <= _CRITICAL * usual:
        status = CheckStatus.CRITICAL
    elif rare and rows <= _WARNING * usual:
        status = CheckStatus.WARNING
    lowest = min(max(limit, 0.0), _CRITICAL * usual)
    return _result(subject, rows, lowest, status, f"{rows} rows, usually about {usual:.0f}")


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
