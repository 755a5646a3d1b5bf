"""From one evaluated window to the series of a model, pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.keys import series_key
from alerts.model import Cause, Evaluability, Facts, Reading, SeriesState
from alerts.policy import AlertPolicy
from alerts.rules import KEEP, Judged, Judgement, Track, judge, rebaseline, record
from alerts.series import Series
from monitor.model import DECAY, CheckResult, CheckStatus, EvaluatedWindow, Family

#: What is judged against a version's own reference, and so starts anew with a new version.
OF_A_VERSION = (Family.PERFORMANCE, Family.INPUT_DRIFT, Family.OUTPUT_DRIFT)
#: What is broken whatever version serves.
OF_THE_SOURCE = (Family.DATA_CONTRACT, Family.PIPELINE)

#: Checks that only inform: an estimate is no measured harm.
NEVER_JUDGED = frozenset({"estimate"})

_SHOWN_CAUSES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """The series after a window.

    Parameters
    ----------
    all
        Every series of the model, by key.
    changed
        Those that are new or say something else than before.
    judged
        Families in which the window allowed at least one verdict.
    """

    all: Mapping[str, Series]
    changed: tuple[Series, ...]
    judged: frozenset[Family]


def follow(
    known: Mapping[str, Series],
    evaluated: EvaluatedWindow,
    *,
    slot: str,
    families: Collection[Family],
    earlier: Mapping[str, Iterable[str]],
    policy: AlertPolicy,
) -> Followed:
    """Return the series after one more window.

    Parameters
    ----------
    families
        Those that count; the window of a version that no longer serves says nothing of others.
    earlier
        Per family, the starts of windows that were evaluated before. A series is kept only from
        its first breach on; in those windows it did not breach.
    """
    start = evaluated.window.start
    after = dict(known)
    seen: set[str] = set()
    judged: set[Family] = set()
    for result in evaluated.results:
        if result.family not in families or result.check in NEVER_JUDGED:
            continue
        key = series_key(evaluated.model, slot, result)
        seen.add(key)
        said = judge(result, labels_mature=evaluated.labels_mature, policy=policy)
        if isinstance(said, Judgement):
            judged.add(result.family)
        series = after.get(key)
        if series is None:
            if said is not Judgement.BREACH:
                continue
            series = _begin(key, slot, evaluated, result, earlier.get(str(result.family), ()))
        after[key] = _tell(series, start, said, policy, _read(result, evaluated))
    for key, series in known.items():
        if key not in seen and series.family in families:
            after[key] = _tell(series, start, _absence(series, evaluated), policy, None)
    changed = tuple(series for key, series in after.items() if known.get(key) != series)
    return Followed(all=after, changed=changed, judged=frozenset(judged))


def renew(
    known: Mapping[str, Series], version: int, policy: AlertPolicy, *, columns: set[str] | None
) -> dict[str, Series]:
    """Return the series for a new version: old windows count no more, old troubles must be cured.

    Parameters
    ----------
    columns
        The columns of the new version, when they are known; a series on any other is over.
    """
    after = dict(known)
    for key, series in known.items():
        if series.family not in OF_A_VERSION:
            continue
        rule = policy.rule_of(series.family, series.check)
        gone = columns is not None and series.column is not None and series.column not in columns
        track = Track(version=version) if gone else rebaseline(series.track, version, rule)
        phase = track.phase(rule)
        after[key] = replace(
            series,
            track=track,
            state=phase.state,
            since=phase.since,
            incident_id=None if gone else series.incident_id,
        )
    return after


def facts_of(
    evaluated: EvaluatedWindow, family: Family, *, ranking: Mapping[str, float] | None = None
) -> Facts:
    """Return what a window adds to the message of an incident.

    Parameters
    ----------
    ranking
        Attributed loss by column, where it is known: causes come in its order.
    """
    causes = _causes(evaluated) if family is Family.PERFORMANCE else []
    if ranking is not None:
        causes.sort(key=lambda cause: -ranking.get(cause.column, 0.0))
    return Facts(
        version=evaluated.version,
        window_start=evaluated.window.start,
        window_end=evaluated.window.end,
        rows=evaluated.rows,
        labels=evaluated.labels,
        labels_mature=evaluated.labels_mature,
        columns_checked=len(columns_in(evaluated)),
        causes=tuple(causes[:_SHOWN_CAUSES]),
        causes_hidden=max(0, len(causes) - _SHOWN_CAUSES),
    )


def columns_in(evaluated: EvaluatedWindow) -> set[str]:
    """Return the columns that a window was checked on."""
    named = (result.measurement.column for result in evaluated.results)
    return {column for column in named if column is not None}


def _causes(evaluated: EvaluatedWindow) -> list[Cause]:
    """Return what else went wrong in a window, one finding per column: broken before drifted."""
    suspects = [
        result
        for result in evaluated.results
        if result.family in (Family.DATA_CONTRACT, Family.INPUT_DRIFT)
        and result.status in (CheckStatus.CRITICAL, CheckStatus.WARNING)
        and result.measurement.column is not None
    ]
    suspects.sort(
        key=lambda result: (
            result.family is not Family.DATA_CONTRACT,
            result.status is not CheckStatus.CRITICAL,
            -(result.effect or 0.0),
        )
    )
    by_column: dict[str, Cause] = {}
    for result in suspects:
        column = str(result.measurement.column)
        cause = Cause(column=column, check=result.check, reason=result.reason, effect=result.effect)
        by_column.setdefault(column, cause)
    return list(by_column.values())


def _begin(
    key: str, slot: str, evaluated: EvaluatedWindow, result: CheckResult, earlier: Iterable[str]
) -> Series:
    starts = sorted(datetime.fromisoformat(start) for start in earlier)[-(KEEP - 1) :]
    judged = tuple(Judged(start=start, judgement=Judgement.CLEAR) for start in starts)
    measurement = _shown(result, evaluated).measurement
    return Series(
        key=key,
        model=evaluated.model,
        slot=slot,
        family=result.family,
        check=result.check,
        metric=measurement.metric,
        column=measurement.column,
        segment=measurement.segment,
        track=Track(version=evaluated.version, judged=judged),
        state=SeriesState.OK,
        since=None,
        reading=_read(result, evaluated),
    )


def _tell(
    series: Series,
    start: datetime,
    said: Judgement | Evaluability,
    policy: AlertPolicy,
    reading: Reading | None,
) -> Series:
    rule = policy.rule_of(series.family, series.check)
    track = record(series.track, start, said, rule)
    phase = track.phase(rule)
    newest = reading is not None and start >= series.reading.window_start
    told = isinstance(said, Judgement) and newest and reading is not None
    return replace(
        series,
        track=track,
        state=phase.state,
        since=phase.since,
        reading=reading if told and reading is not None else series.reading,
    )


def _absence(series: Series, evaluated: EvaluatedWindow) -> Evaluability:
    late = series.family is Family.PERFORMANCE and not evaluated.labels_mature
    return Evaluability.LATE_LABELS if late else Evaluability.NO_DATA


def _shown(result: CheckResult, evaluated: EvaluatedWindow) -> CheckResult:
    """Return the result whose numbers people are shown: for decay, those of the metric itself."""
    if result.check != DECAY:
        return result
    judged = (each for each in evaluated.of(Family.PERFORMANCE) if each.effect is not None)
    return next((each for each in judged if each.check == "performance"), result)


def _read(result: CheckResult, evaluated: EvaluatedWindow) -> Reading:
    shown = _shown(result, evaluated)
    measurement, threshold = shown.measurement, shown.threshold
    return Reading(
        reason=result.reason,
        window_start=evaluated.window.start,
        window_end=evaluated.window.end,
        effect=shown.effect,
        value=measurement.value,
        lower=measurement.lower,
        upper=measurement.upper,
        limit=_limit(measurement.value, threshold.lower, threshold.upper),
        n=measurement.n_current,
    )


def _limit(value: float | None, lower: float | None, upper: float | None) -> float | None:
    """Return the limit that was passed, else the only or nearest one."""
    if lower is None or upper is None or value is None:
        return lower if upper is None else upper
    if value < lower or value > upper:
        return lower if value < lower else upper
    return lower if value - lower < upper - value else upper
