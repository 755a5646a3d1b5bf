"""The gates before training: which windows are broken, and which training sets are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.model import CheckStatus, EvaluatedWindow, Family
from watchkeeper.errors import TrainingError
from watchkeeper.schema import Task

#: How far the rate of the positive class may move from the champion's training set, as a ratio.
LABEL_RATE_RATIO = 4.0
_NAMED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSet:
    """What the data gate looks at.

    Parameters
    ----------
    rows
        Labelled rows to train on.
    classes
        Rows of each class; empty for regression.
    missing
        Share of nulls of each feature, in ``[0, 1]``.
    """

    rows: int
    classes: Mapping[str, int]
    missing: Mapping[str, float]


def broken_because(evaluated: EvaluatedWindow) -> str | None:
    """Say why a window belongs into quarantine; None when it does not.

    It does when a check of the data contract is critical: a broken source looks like decay, and a
    model that is trained on it carries the break on.
    """
    critical = [
        result
        for result in evaluated.of(Family.DATA_CONTRACT)
        if result.status is CheckStatus.CRITICAL
    ]
    if not critical:
        return None
    checks = ", ".join(dict.fromkeys(result.check for result in critical))
    columns = list(dict.fromkeys(r.measurement.column for r in critical if r.measurement.column))
    return f"{checks} in {_listed(columns)}" if columns else checks


def refuse_unfit(current: TrainingSet, *, task: Task, minimum: int, past: TrainingSet) -> None:
    """Refuse a training set that would give a broken model.

    Parameters
    ----------
    minimum
        Least number of rows.
    past
        The newest period in which all was well; for comparison.

    Raises
    ------
    TrainingError
        ``refused``, and why: too few rows, one class only, a rate of the positive class more than
        four times the past's or less than a quarter of it, or a feature that is wholly missing
        and was not.

    Examples
    --------
    >>> good = TrainingSet(rows=900, classes={"0": 700, "1": 200}, missing={"speed": 0.0})
    >>> refuse_unfit(good, task=Task.BINARY, minimum=500, past=good)
    """
    if current.rows < max(minimum, 1):
        raise TrainingError(
            "refused", f"{current.rows} rows to train on, expected at least {max(minimum, 1)}"
        )
    if task is not Task.REGRESSION:
        _refuse_classes(current, task, past)
    gone = [
        name
        for name, share in current.missing.items()
        if share == 1.0 and past.missing.get(name, 1.0) < 1.0
    ]
    if gone:
        raise TrainingError("refused", f"no value at all in {_listed(gone)}, there were before")


def _refuse_classes(current: TrainingSet, task: Task, past: TrainingSet) -> None:
    seen = [name for name, rows in current.classes.items() if rows]
    if len(seen) < 2:
        raise TrainingError("refused", f"only the class {', '.join(seen) or 'none'} in the labels")
    if task is not Task.BINARY:
        return
    now, before = _rate(current), _rate(past)
    if before and not 1 / LABEL_RATE_RATIO <= now / before <= LABEL_RATE_RATIO:
        raise TrainingError(
            "refused", f"{now:.1%} of the labels are positive, {before:.1%} were before"
        )


def _rate(rows: TrainingSet) -> float:
    total = sum(rows.classes.values())
    return rows.classes.get("1", 0) / total if total else 0.0


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
