"""The check of how many rows have a label once all have had their time, against windows before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.habits import wilson_limit
from monitor.model import CheckResult, CheckStatus, Family, Threshold
from monitor.profiles.bins import PREDICTED, SCORE
from monitor.profiles.model import Profile
from monitor.subject import Subject
from monitor.variation import MINIMUM_WINDOWS

CHECK = "null_surge"
#: With less than these parts of the usual labels a window warns, and is critical.
_WARNING, _CRITICAL = 0.5, 0.25
#: Part of the windows that have as few for that to be a habit: labels come in batches.
_OFTEN = 0.1


def check_labels(
    subject: Subject,
    profile: Profile,
    before: Sequence[tuple[int, int]],
    *,
    column: str,
    mature: bool,
) -> CheckResult:
    """Hold the share of labelled rows against that of the windows before.

    Labels that stop are no loss of performance, but from then on none is seen. Where only a part
    of the rows is ever labelled, that part is usual.

    Parameters
    ----------
    before
        Rows and labels of windows before this one whose labels have had their time, the newest
        first; with fewer than eight that have rows there is no habit yet.
    column
        Of the labels.
    mature
        Whether those of this window have had their time.
    """
    shares = np.array([with_label / n for n, with_label in before if n])
    usual = float(np.median(shares)) if len(shares) else 0.0
    rows, labels = _answered(profile), profile.labels
    status, reason = (
        CheckStatus.INSUFFICIENT_DATA,
        "too few windows before it to know what is usual",
    )
    if not mature:
        reason = "labels still have time to arrive"
    elif not rows:
        reason = "no row has a prediction"
    elif len(shares) >= MINIMUM_WINDOWS and usual > 0:
        surely = wilson_limit(labels / rows, rows, upper=True)
        status = CheckStatus.OK
        for part, worse in ((_WARNING, CheckStatus.WARNING), (_CRITICAL, CheckStatus.CRITICAL)):
            habit = float((shares < part * usual).mean()) >= _OFTEN
            if surely < part * usual and not habit:
                status = worse
        reason = (
            f"{labels} of {rows} rows have a label though all have had their time, "
            f"usually {usual:.0%}"
        )
    share = 1 - labels / rows if rows else None
    limit = 1 - _CRITICAL * usual
    known = status is not CheckStatus.INSUFFICIENT_DATA and share is not None
    return CheckResult(
        measurement=subject.measurement(CHECK, share, n_current=rows, column=column),
        threshold=Threshold(method="windows before", upper=limit),
        family=Family.DATA_CONTRACT,
        check=CHECK,
        status=status,
        reason=reason,
        effect=(share or 0.0) / limit if known else None,
    )


def _answered(profile: Profile) -> int:
    """Return the rows with a prediction: a label counts only beside one."""
    outputs = [column for column in profile.columns() if column.name in {SCORE, PREDICTED}]
    return profile.rows - max((each.null + each.nan + each.infinite for each in outputs), default=0)
