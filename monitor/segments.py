"""Checks within each declared segment: what is broken, different or worse in one slice alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from scipy.special import stdtrit

from monitor.comparison.drift import BOUND, METRIC
from monitor.drift import ALPHA, ColumnDrift, compare_column, compare_columns
from monitor.drift_reference import fixed
from monitor.model import CheckResult, CheckStatus, Family, Threshold
from monitor.performance.blocks import blocks_of
from monitor.performance.interval import LEVEL, Performance, measure
from monitor.performance.table import Metric, metric_of
from monitor.profiles.bins import PREDICTED, SCORE
from monitor.profiles.model import Profile
from monitor.profiles.segments import Segment, segment_name
from monitor.quality.model import Finding, Pair
from monitor.quality.null_surge import null_surge
from monitor.quality.swapped import whole_in_place_of_slice
from monitor.reference import Reference
from monitor.segment_habits import SegmentHabits
from monitor.statistics.multiple_testing import holm
from monitor.subject import Subject
from monitor.usual import ColumnUsual
from watchkeeper.metric_function import title_of
from watchkeeper.own_metrics import NONE, OwnMetrics
from watchkeeper.tolerance import Better, Tolerance

#: With fewer rows of a segment a window says nothing of its columns, and labels of its metric.
MINIMUM_ROWS, MINIMUM_LABELS = 50, 50
#: A segment must differ by so many times what all rows differ by, beside what matters.
_OF_ALL = 2.0
_BAD = frozenset({CheckStatus.WARNING, CheckStatus.CRITICAL})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Slice:
    """One segment in the window and in the reference."""

    segment: Segment
    current: Profile
    reference: Profile
    usual: SegmentHabits
    tiles: Mapping[datetime, Profile]

    @property
    def name(self) -> str:
        return segment_name(self.segment)


def check_segments(
    subject: Subject,
    profile: Profile,
    tiles: Mapping[datetime, Profile],
    reference: Reference,
    tolerance: Tolerance,
    *,
    zone: ZoneInfo,
    mature: bool,
    own: OwnMetrics = NONE,
) -> list[CheckResult]:
    """Check each declared segment by itself; nothing it finds is worse than a warning.

    p-values are adjusted over all columns of all segments (Holm 1979), and the intervals of the
    metric are widened to the number of segments (Bonferroni), so that many segments do not make
    many findings. Columns and segments where all is well have no result of their own, but the
    metric has.

    Parameters
    ----------
    profile, tiles
        Of the window, with the profiles of their segments.
    mature
        Whether the labels have had their delay to arrive.
    own
        What the metrics of the owner's own are made from.
    """
    slices = [
        _Slice(
            segment=segment,
            current=profile.segments[segment],
            reference=reference.profile.segments[segment],
            usual=usual,
            tiles={
                start: tile.segments[segment]
                for start, tile in tiles.items()
                if segment in tile.segments
            },
        )
        for segment, usual in reference.segments.items()
        if segment in profile.segments
    ]
    if not slices:
        return []
    results: list[CheckResult] = []
    metric = metric_of(tolerance.metric, own)
    for each in slices:
        results += _performance(
            subject, each, tolerance, metric, zone=zone, mature=mature, segments=len(slices)
        )
    large = [each for each in slices if each.current.rows >= MINIMUM_ROWS]
    for each in large:
        results += _quality(subject, each, profile, reference)
    mistaken = {r.measurement.segment for r in results if r.check == "swapped"}
    drifts = _drifts([each for each in large if each.name not in mistaken], profile, reference)
    results += [_drift(subject, each, drift, p) for each, drift, p in drifts]
    return results


def _performance(
    subject: Subject,
    each: _Slice,
    tolerance: Tolerance,
    metric: Metric,
    *,
    zone: ZoneInfo,
    mature: bool,
    segments: int,
) -> Iterator[CheckResult]:
    level = _level(each, metric)
    if level is None or level.value is None or each.current.labels < MINIMUM_LABELS:
        return
    outcomes = {start: tile.outcomes for start, tile in each.tiles.items()}
    found = measure(metric, blocks_of(outcomes, zone))
    if found.value is None:
        return
    limit, higher = tolerance.limit(level.value), tolerance.better is Better.HIGHER
    worse = found.value < limit if higher else found.value > limit
    surely = worse and _beyond(found, level, limit, segments=segments)
    status = CheckStatus.WARNING if surely else CheckStatus.OK
    yield CheckResult(
        measurement=replace(
            subject.measurement(
                tolerance.metric,
                found.value,
                n_current=found.labels,
                n_reference=level.labels,
                lower=found.lower,
                upper=found.upper,
            ),
            segment=each.name,
        ),
        threshold=Threshold(
            method="tolerance",
            lower=limit if higher else None,
            upper=None if higher else limit,
        ),
        family=Family.PERFORMANCE,
        check="performance",
        status=status if mature else CheckStatus.INSUFFICIENT_DATA,
        reason=f"{title_of(tolerance.metric)} {found.value:.4f} in {each.name}, "
        f"reference {level.value:.4f}",
        effect=(found.value - level.value) / (limit - level.value) if mature else None,
    )


def _level(each: _Slice, metric: Metric) -> Performance | None:
    """Return the metric in the reference; None where another, or another value, was learned."""
    level = each.usual.performance
    if level is None or level.value is None or level.metric != metric.name:
        return None
    now = float(metric.value(each.reference.outcomes))
    return level if math.isclose(now, level.value, rel_tol=1e-3, abs_tol=1e-9) else None


def _beyond(found: Performance, level: Performance, limit: float, *, segments: int) -> bool:
    """Whether a value is beyond the limit by more than chance, with so many segments looked at."""
    errors = [_error(found), _error(level)]
    if found.value is None or None in errors:
        return False
    error = math.hypot(*(each or 0.0 for each in errors))
    reach = float(stdtrit(max(found.clusters - 1, 1), 1 - ALPHA / segments))
    return abs(found.value - limit) > reach * error


def _error(performance: Performance) -> float | None:
    """Return the standard error that an interval stands for; None where there is no interval."""
    low, high = performance.lower, performance.upper
    if low is None or high is None or performance.clusters < 2:
        return None
    return (high - low) / (2 * float(stdtrit(performance.clusters - 1, (1 + LEVEL) / 2)))


def _quality(
    subject: Subject, each: _Slice, whole: Profile, reference: Reference
) -> Iterator[CheckResult]:
    known = {column.name: column for column in each.reference.columns()}
    everywhere = {column.name: column for column in whole.columns()}
    pairs = []
    for current in each.current.columns():
        if current.name in {SCORE, PREDICTED} or current.name == each.segment[0]:
            continue
        pair = Pair(
            current=current,
            reference=known[current.name],
            habit=each.usual.habits[current.name],
            bins=reference.bins.columns[current.name],
            usual=ColumnUsual(),
        )
        pairs.append(pair)
        finding = null_surge(pair)
        # Where all rows lose their values, the finding on the whole column says so.
        share = everywhere[current.name].null_share
        if finding is not None and finding.status in _BAD and share < current.null_share / 2:
            yield _result(subject, each, finding)
    parts = (
        each.reference.rows / max(reference.profile.rows, 1),
        each.current.rows / max(whole.rows, 1),
    )
    mixed = whole_in_place_of_slice(pairs, reference.profile, share=parts)
    if mixed is not None:
        yield _result(subject, each, mixed)


def _result(subject: Subject, each: _Slice, finding: Finding) -> CheckResult:
    measurement = subject.measurement(
        finding.check,
        finding.value,
        column=finding.column,
        n_current=finding.rows,
        n_reference=each.reference.rows,
    )
    return CheckResult(
        measurement=replace(measurement, segment=each.name),
        threshold=Threshold(method="habit", upper=finding.limit),
        family=Family.DATA_CONTRACT,
        check=finding.check,
        status=CheckStatus.WARNING,
        reason=f"in {each.name}: {finding.reason}",
        effect=finding.effect,
    )


def _drifts(
    slices: list[_Slice], whole: Profile, reference: Reference
) -> list[tuple[_Slice, ColumnDrift, float]]:
    """Return the columns that differ in a segment by more than they differ in all rows."""
    compared = []
    for each in slices:
        known = {column.name: column for column in each.reference.columns()}
        for column in each.current.columns():
            bins, habit = reference.bins.columns[column.name], each.usual.habits[column.name]
            drift = compare_column(column, known[column.name], bins, habit, columns=len(known))
            if drift is not None and column.name != each.segment[0]:
                compared.append((each, drift))
    everywhere = {drift.name: drift.effect for drift in compare_columns(whole, fixed(reference))}
    adjusted = holm([drift.p_value for _, drift in compared])
    return [
        (each, drift, float(p))
        for (each, drift), p in zip(compared, adjusted, strict=True)
        if p <= ALPHA and drift.effect >= BOUND + _OF_ALL * everywhere.get(drift.name, 0.0)
    ]


def _drift(subject: Subject, each: _Slice, drift: ColumnDrift, adjusted: float) -> CheckResult:
    is_output = drift.name in {SCORE, PREDICTED}
    measurement = subject.measurement(
        METRIC,
        drift.value,
        column=drift.name,
        p_value=drift.p_value,
        lower=drift.lower,
        upper=drift.upper,
        n_current=drift.n_current,
        n_reference=drift.n_reference,
    )
    return CheckResult(
        measurement=replace(measurement, segment=each.name),
        threshold=Threshold(method="materiality", upper=BOUND),
        family=Family.OUTPUT_DRIFT if is_output else Family.INPUT_DRIFT,
        check="drift",
        status=CheckStatus.WARNING,
        reason=f"in {each.name}: PSI {drift.value:.3f}, {drift.effect:.3f} beyond usual variation, "
        f"adjusted p {adjusted:.2g}",
        effect=drift.effect / BOUND,
    )
