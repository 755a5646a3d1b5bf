"""Words for people: what is wrong, in one line, from the members of an incident."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.model import Evaluability, Member, SeriesState
from monitor.model import BEHIND_FLEET, Family
from watchkeeper.metric_function import title_of

_METRICS = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "mae": "MAE",
    "mse": "MSE",
    "rmse": "RMSE",
    "mape": "MAPE",
    "f1": "F1",
    "psi": "PSI",
    "brier": "Brier score",
    "brier_score": "Brier score",
    BEHIND_FLEET: "distance behind the fleet",
}
#: What an evaluability that is not OK means for the reader.
UNKNOWN = {
    Evaluability.NO_DATA: "no data in the newest window",
    Evaluability.LATE_LABELS: "labels of the newest window are still coming",
    Evaluability.ERROR: "the newest check failed",
    Evaluability.INSUFFICIENT_N: "too few rows in the newest window",
}


def metric_name(metric: str) -> str:
    """Return a metric as a person writes it.

    Examples
    --------
    >>> metric_name("roc_auc"), metric_name("log_loss"), metric_name("metrics.py:late_hours")
    ('ROC AUC', 'log loss', 'late hours')
    """
    return _METRICS.get(metric, title_of(metric).replace("_", " "))


def number(value: float | None) -> str:
    """Return a number with as many digits as a person can use.

    Examples
    --------
    >>> [number(value) for value in (0.71234, 12.345, 4031.2, None)]
    ['0.712', '12.3', '4,031', 'unknown']
    """
    if value is None:
        return "unknown"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.3f}"


def moment(instant: datetime) -> str:
    """Return an instant as it stands in a message.

    Examples
    --------
    >>> from datetime import UTC
    >>> moment(datetime(2013, 11, 12, 4, 0, tzinfo=UTC))
    '12 Nov 2013 04:00 UTC'
    """
    return f"{instant:%d %b %Y %H:%M} UTC"


def span(duration: timedelta) -> str:
    """Return a duration in its two largest units.

    Examples
    --------
    >>> span(timedelta(days=2, hours=3, minutes=20)), span(timedelta(minutes=5)), span(timedelta(0))
    ('2 d 3 h', '5 min', '0 min')
    """
    minutes = max(0, int(duration.total_seconds()) // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    shown = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(shown) or "0 min"


def listed(names: Sequence[str], at_most: int) -> str:
    """Return names in a row, the surplus only counted.

    Examples
    --------
    >>> listed(["temp", "dewp", "humid"], 2)
    'temp, dewp and 1 more'
    """
    shown = ", ".join(names[:at_most])
    hidden = len(names) - at_most
    return f"{shown} and {hidden} more" if hidden > 0 else shown


def in_trouble(member: Member) -> bool:
    """Tell whether a member still fires."""
    return member.state in (SeriesState.FIRING, SeriesState.RECOVERING)


def summarise(family: Family, members: Sequence[Member], columns: Sequence[str]) -> str:
    """Return what is wrong, in one line.

    Parameters
    ----------
    members
        The worst of them, the worst first; at least one.
    columns
        All that are in trouble, the worst first.
    """
    worst = members[0]
    if family is Family.PERFORMANCE:
        return f"{metric_name(worst.metric)} {against_limit(worst)}"
    if family is Family.OUTPUT_DRIFT:
        return "the predictions drifted"
    if len(columns) <= 1:
        reason = worst.reading.reason.rstrip(".")
        return f"{worst.column}: {reason}" if worst.column else reason
    verb = "drifted" if family is Family.INPUT_DRIFT else "broken"
    return f"{len(columns)} columns {verb}: {listed(columns, 6)}"


def against_limit(member: Member) -> str:
    """Return a reading beside its limit.

    ``0.712, below the limit 0.760`` or ``0.790, within the limit 0.760``.
    """
    reading = member.reading
    value = number(reading.value)
    if reading.value is None or reading.limit is None:
        return value
    if reading.effect is not None and reading.effect < 1:
        return f"{value}, within the limit {number(reading.limit)}"
    side = "above" if reading.value > reading.limit else "below"
    return f"{value}, {side} the limit {number(reading.limit)}"


def delayed(late: timedelta, transport: str = "slack") -> str:
    """Return the remark on a message that left late.

    Examples
    --------
    >>> delayed(timedelta(minutes=14))
    'delayed 14 min: Slack could not be reached'
    >>> delayed(timedelta(minutes=14), "email")
    'delayed 14 min'
    """
    why = ": Slack could not be reached" if transport == "slack" else ""
    return f"delayed {span(late)}{why}"
