"""Whether the model has become worse than is tolerated, from the labels of a window."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.model import CheckResult, CheckStatus, Family, Measurement, Threshold
from monitor.performance.interval import Performance, measure
from monitor.performance.outcomes import Outcomes
from monitor.performance.table import metric_of, metrics_of
from monitor.reference import Reference
from monitor.subject import Subject
from watchkeeper.metric_function import title_of
from watchkeeper.own_metrics import NONE, OwnMetrics
from watchkeeper.tolerance import Better, Tolerance

#: With fewer labels a window is not judged.
MINIMUM_LABELS = 30


def check_performance(
    subject: Subject,
    blocks: Sequence[Outcomes],
    reference: Reference,
    tolerance: Tolerance,
    *,
    mature: bool,
    own: OwnMetrics = NONE,
) -> list[CheckResult]:
    """Measure every metric of the task, and judge the one that the tolerance is about.

    It is critical when the whole 95 % interval lies beyond the limit, a warning when the value
    does. Labels that come early are not like those that come late, so a window is judged when
    they have had their delay, and only measured before.

    Parameters
    ----------
    blocks
        Outcomes of the clusters of time that the window is made of.
    mature
        Whether the labels have had their delay to arrive.
    own
        What the metrics of the owner's own are made from.

    Returns
    -------
    list of CheckResult
        The judged metric first.
    """
    judged = measure(metric_of(tolerance.metric, own), blocks)
    others = [
        _report(subject, measure(metric, blocks), reference)
        for metric in metrics_of(reference.bins.task, own)
        if metric.name != tolerance.metric
    ]
    level = reference.level(tolerance.metric, own)
    return [_judge(subject, judged, reference, tolerance, level=level, mature=mature), *others]


def _judge(
    subject: Subject,
    found: Performance,
    reference: Reference,
    tolerance: Tolerance,
    *,
    level: float | None,
    mature: bool,
) -> CheckResult:
    limit = None if level is None else tolerance.limit(level)
    higher = tolerance.better is Better.HIGHER
    status, reason = CheckStatus.INSUFFICIENT_DATA, _unjudged(found, level, mature=mature)
    effect = None
    if reason is None and found.value is not None and level is not None and limit is not None:
        status = _status(found, limit, higher=higher)
        effect = (found.value - level) / (limit - level)
        side = "below" if higher else "above"
        place = f"{side} its limit" if effect >= 1 else "within its limit"
        reason = (
            f"{title_of(found.metric)} {found.value:.4f}{_interval(found)}, {place} {limit:.4f} "
            f"(reference {level:.4f})"
        )
    return CheckResult(
        measurement=_measurement(subject, found, reference),
        threshold=Threshold(
            method="tolerance",
            lower=limit if higher else None,
            upper=None if higher else limit,
        ),
        family=Family.PERFORMANCE,
        check="performance",
        status=status,
        reason=reason or "not judged",
        effect=effect,
    )


def _unjudged(found: Performance, level: float | None, *, mature: bool) -> str | None:
    """Say why a window is not judged; None when it is."""
    if level is None:
        return f"the reference has no {title_of(found.metric)}"
    if not mature:
        return f"{found.labels} labels so far; the others still have time to arrive"
    if found.value is None or found.labels < MINIMUM_LABELS:
        return f"{found.labels} labels are too few to judge {title_of(found.metric)}"
    return None


def _status(found: Performance, limit: float, *, higher: bool) -> CheckStatus:
    best = found.upper if higher else found.lower
    if best is not None and (best < limit if higher else best > limit):
        return CheckStatus.CRITICAL
    if found.value is not None and (found.value < limit if higher else found.value > limit):
        return CheckStatus.WARNING
    return CheckStatus.OK


def _report(subject: Subject, found: Performance, reference: Reference) -> CheckResult:
    status = CheckStatus.OK if found.value is not None else CheckStatus.INSUFFICIENT_DATA
    value = "undefined" if found.value is None else f"{found.value:.4f}{_interval(found)}"
    return CheckResult(
        measurement=_measurement(subject, found, reference),
        threshold=Threshold(method="none"),
        family=Family.PERFORMANCE,
        check="performance",
        status=status,
        reason=f"{title_of(found.metric)} {value}; it has no limit",
    )


def _measurement(subject: Subject, found: Performance, reference: Reference) -> Measurement:
    known = reference.performance.get(found.metric)
    return subject.measurement(
        found.metric,
        found.value,
        lower=found.lower,
        upper=found.upper,
        n_current=found.labels,
        n_reference=known.labels if known else 0,
    )


def _interval(found: Performance) -> str:
    if found.lower is None or found.upper is None:
        return ""
    binned = "" if found.binning is None else f", {found.binning:.1g} from binning"
    return f" (95 %: {found.lower:.4f} to {found.upper:.4f}{binned})"
