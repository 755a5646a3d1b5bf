"""Say what performance to expect of a window before its labels arrive, and how past words held."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.estimation.model import Estimate
from monitor.estimation.trust import Checked, distrust
from monitor.model import CheckResult, CheckStatus, Family, Threshold
from monitor.performance.table import METRICS
from monitor.profiles.model import Profile
from monitor.reference import Reference
from monitor.subject import Subject
from watchkeeper.tolerance import Better, Tolerance

#: The check of both measurements, which no incident and no detector follows.
CHECK = "estimate"
_ESTIMATED = "_estimated"
_ERROR = "_estimate_error"
#: An estimate is held against labels when nearly all rows have one.
_LABELLED = 0.9


def estimated(metric: str) -> str:
    """Return the name of the measurement that is the estimate of a metric."""
    return f"{metric}{_ESTIMATED}"


def error_of(metric: str) -> str:
    """Return the name of the measurement that is the estimate's error."""
    return f"{metric}{_ERROR}"


def check_estimate(
    subject: Subject,
    profile: Profile,
    reference: Reference,
    tolerance: Tolerance,
    past: Sequence[Checked],
    *,
    mature: bool,
) -> list[CheckResult]:
    """Estimate the metric of the tolerance from all rows, and check it where labels are mature.

    An estimate is no measured harm: it is shown, and warns where labels are still to come, but it
    opens no incident and is no evidence of decay.

    Parameters
    ----------
    past
        How estimates of windows before it came out, the newest first.

    Returns
    -------
    list of CheckResult
        The estimate, and its error where mature labels say what the metric was.
    """
    metric = tolerance.metric
    found = _find(profile, reference, metric)
    if isinstance(found, str):
        return [_unknown(subject, metric, profile, found)]
    level = reference.level(metric)
    allowed = None if level is None else tolerance.change.of(level)
    doubt = distrust(past, allowed, found.outside)
    results = [_result(subject, found, reference, tolerance, doubt, mature=mature)]
    seen = float(METRICS[metric].value(profile.outcomes))
    if mature and profile.labels >= _LABELLED * profile.rows and math.isfinite(seen):
        results.append(_check(subject, found, seen, profile.labels))
    return results


def _find(profile: Profile, reference: Reference, metric: str) -> Estimate | str:
    """Return the estimate, or why there is none."""
    if reference.estimator is None:
        return "the reference holds no calibration"
    found = {each.metric: each for each in reference.estimator.estimates(profile)}
    if not found:
        return "the scores of these rows were not counted"
    if metric not in found or found[metric].value is None:
        return f"{metric} cannot be told without labels"
    return found[metric]


def _unknown(subject: Subject, metric: str, profile: Profile, reason: str) -> CheckResult:
    return CheckResult(
        measurement=subject.measurement(estimated(metric), None, n_current=profile.rows),
        threshold=Threshold(method="none"),
        family=Family.PERFORMANCE,
        check=CHECK,
        status=CheckStatus.INSUFFICIENT_DATA,
        reason=f"no estimate: {reason}",
    )


def _result(
    subject: Subject,
    found: Estimate,
    reference: Reference,
    tolerance: Tolerance,
    doubt: str | None,
    *,
    mature: bool,
) -> CheckResult:
    level, known = reference.level(found.metric), reference.performance.get(found.metric)
    limit = None if level is None else tolerance.limit(level)
    higher = tolerance.better is Better.HIGHER
    status = CheckStatus.OK if doubt is None else CheckStatus.INSUFFICIENT_DATA
    value = found.value if found.value is not None else float("nan")
    effect = None
    if limit is not None and level is not None:
        effect = (value - level) / (limit - level)
        beyond = value < limit if higher else value > limit
        if beyond and doubt is None and not mature:
            status = CheckStatus.WARNING
    return CheckResult(
        measurement=subject.measurement(
            estimated(found.metric),
            found.value,
            lower=found.lower,
            upper=found.upper,
            n_current=found.rows,
            n_reference=known.labels if known else 0,
        ),
        threshold=Threshold(
            method="tolerance",
            lower=limit if higher else None,
            upper=None if higher else limit,
        ),
        family=Family.PERFORMANCE,
        check=CHECK,
        status=status,
        reason=_reason(found, reference, doubt),
        effect=effect,
    )


def _reason(found: Estimate, reference: Reference, doubt: str | None) -> str:
    parts = [f"{found.metric} is estimated at {found.value:.4f}"]
    if found.lower is not None and found.upper is not None:
        parts[0] += f" (95 %: {found.lower:.4f} to {found.upper:.4f})"
    if found.outside > 0:
        parts.append(f"{found.outside:.1%} of the rows are unlike any in the reference")
    if reference.estimator is not None and not reference.estimator.inflation:
        parts.append("natural variation unknown")
    if doubt is not None:
        parts.append(f"not trusted: {doubt}")
    return "; ".join(parts)


def _check(subject: Subject, found: Estimate, seen: float, labels: int) -> CheckResult:
    expected = found.value if found.value is not None else float("nan")
    error = expected - seen
    low = None if found.upper is None else expected - found.upper
    high = None if found.lower is None else expected - found.lower
    inside = low is None or high is None or low <= error <= high
    place = "inside" if inside else "outside"
    return CheckResult(
        measurement=subject.measurement(error_of(found.metric), error, n_current=labels),
        threshold=Threshold(method="estimate", lower=low, upper=high),
        family=Family.PERFORMANCE,
        check=CHECK,
        status=CheckStatus.OK,
        reason=f"estimated {expected:.4f}, realised {seen:.4f}: {place} its 95 % interval",
    )
