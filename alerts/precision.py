"""Precision per rule from the verdicts in the database, with changes tried on stored windows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from alerts.follow import NEVER_JUDGED
from alerts.model import Verdict
from alerts.policy import AlertPolicy, policy_of
from alerts.rows import IncidentRow
from alerts.rules import Judged, Judgement
from alerts.verdicts import Episode, Precision, is_worth, propose
from monitor.model import DETECTORS, CheckStatus, Family
from monitor.repository import MeasurementRow
from monitor.window_store import WindowRow
from watchkeeper.model_settings import ModelSettings

#: Families whose incidents follow ``alerts.fire`` and ``alerts.of``.
_SET = (Family.PERFORMANCE, Family.INPUT_DRIFT, Family.OUTPUT_DRIFT)
#: The newest judged incidents of a rule that a change is tried on.
_NEWEST = 30
_WINDOWS_BEFORE = 8


def precisions(session: Session, models: Mapping[str, ModelSettings]) -> list[Precision]:
    """Return what people said of each rule of some models, the least precise first.

    A rule is one family of findings of one model. The change that is proposed is computed by
    replaying the stored windows of the judged incidents; nothing is ever changed by itself.
    """
    rows = session.scalars(
        select(IncidentRow)
        .where(IncidentRow.verdict.is_not(None), IncidentRow.model.in_(sorted(models)))
        .order_by(IncidentRow.id.desc())
    )
    judged: dict[tuple[str, Family], list[IncidentRow]] = defaultdict(list)
    for row in rows:
        judged[row.model, Family(row.family)].append(row)
    found = [
        _precision(session, models[model], family, incidents)
        for (model, family), incidents in judged.items()
    ]
    return sorted(found, key=lambda each: (each.worth / each.judged, each.model, each.family))


def _precision(
    session: Session, settings: ModelSettings, family: Family, incidents: list[IncidentRow]
) -> Precision:
    policy = policy_of(settings)
    counts: dict[Verdict, int] = defaultdict(int)
    for row in incidents:
        counts[Verdict(str(row.verdict))] += 1
    plain = Precision(
        model=settings.model, family=family, counts=dict(counts), rule=policy.rule_of(family, "")
    )
    if family not in _SET or plain.worth == plain.judged:
        return plain
    episodes = [_episode(session, row, policy) for row in incidents[:_NEWEST]]
    return replace(plain, proposal=propose(episodes, plain.rule))


def _episode(session: Session, row: IncidentRow, policy: AlertPolicy) -> Episode:
    """Return the windows of an incident, from a few before its first bad one."""
    start = _some_windows_before(session, row)
    end = row.resolved_at or row.updated_at
    mature = _windows(session, row, start, end)
    measured = session.scalars(
        select(MeasurementRow)
        .where(MeasurementRow.model == row.model, MeasurementRow.family == row.family)
        .where(MeasurementRow.window_start >= start, MeasurementRow.window_start < end)
        .order_by(MeasurementRow.window_start)
    )
    series: dict[tuple[str, ...], list[Judged]] = defaultdict(list)
    fixed = False
    for each in measured:
        said = _judge(each, policy, mature=mature.get((each.window_start, each.version), False))
        if each.check_name in DETECTORS:
            fixed = fixed or said is Judgement.BREACH
        elif said is not None:
            key = (each.check_name, each.metric, each.column_name, each.segment)
            series[key].append(Judged(start=each.window_start, judgement=said))
    bad = [kept for kept in series.values() if _has_breach(kept)]
    return Episode(worth=is_worth(Verdict(str(row.verdict))), series=bad, fixed=fixed)


def _some_windows_before(session: Session, row: IncidentRow) -> datetime:
    starts = session.scalars(
        select(WindowRow.window_start)
        .where(WindowRow.model == row.model, WindowRow.window_start <= row.started_at)
        .order_by(WindowRow.window_start.desc())
        .limit(_WINDOWS_BEFORE)
    ).all()
    return min(starts, default=row.started_at)


def _windows(
    session: Session, row: IncidentRow, start: datetime, end: datetime
) -> dict[tuple[datetime, int], bool]:
    found = session.execute(
        select(WindowRow.window_start, WindowRow.version, WindowRow.labels_mature)
        .where(WindowRow.model == row.model)
        .where(WindowRow.window_start >= start, WindowRow.window_start < end)
    )
    return {(each[0], each[1]): each[2] for each in found}


def _judge(row: MeasurementRow, policy: AlertPolicy, *, mature: bool) -> Judgement | None:
    """Return what a stored measurement says about its window, as ``alerts.rules.judge`` does."""
    status = CheckStatus(row.status)
    if status in (CheckStatus.INSUFFICIENT_DATA, CheckStatus.FAILED):
        return None
    if row.check_name in NEVER_JUDGED or row.n_current < policy.min_n:
        return None
    if row.family == Family.PERFORMANCE and not mature:
        return None
    if status is CheckStatus.CRITICAL:
        return Judgement.BREACH
    if row.effect is None:
        return Judgement.CLEAR if status is CheckStatus.OK else Judgement.BETWEEN
    return Judgement.CLEAR if row.effect < policy.clear_ratio else Judgement.BETWEEN


def _has_breach(windows: Iterable[Judged]) -> bool:
    return any(each.judgement is Judgement.BREACH for each in windows)
