"""Example view models: a model that decays, is retrained, and has its weather feed broken."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from monitor.model import CheckStatus, Family
from reports.model import (
    AttributionView,
    AuditEntry,
    Bar,
    BudgetView,
    DeliveryRow,
    DeploymentMark,
    DeploymentRow,
    Distribution,
    DriftCell,
    DriftRow,
    DriftStrip,
    EstimatePoint,
    EvaluationView,
    EvidencePoint,
    FeatureCard,
    FeaturesView,
    Finding,
    Health,
    IncidentRow,
    IncidentSpan,
    IncidentsView,
    IncidentView,
    ModelRow,
    ModelsView,
    ModelView,
    Paging,
    Quarantine,
    RuleRow,
    RunRow,
    RunsView,
    RunView,
    SegmentRow,
    SegmentsView,
    Timeline,
    TimelinePoint,
    TrendPoint,
    VersionRow,
    WatchView,
    WindowBrief,
    WindowRow,
    WindowsView,
)
from watchkeeper.schema import ColumnKind, Task
from watchkeeper.window import Window

START = datetime(2013, 6, 1, 4, tzinfo=UTC)
DAY = timedelta(days=1)
NEW_YORK = "America/New_York"


@pytest.fixture
def timeline() -> Timeline:
    return example_timeline()


def day(i: int) -> Window:
    return Window(start=START + i * DAY, end=START + (i + 1) * DAY)


def example_timeline(days: int = 100) -> Timeline:
    points = []
    for i in range(days):
        decay = max(0, i - 30) * 0.0012 if i < 62 else 0.0
        value = 0.733 + 0.007 * math.sin(i * 1.7) - decay
        critical = value + 0.009 < 0.711
        points.append(
            TimelinePoint(
                window=day(i),
                version=1 if i < 62 else 2,
                value=None if i in {44, 45} else value,
                lower=None if i in {44, 45} else value - 0.014,
                upper=None if i in {44, 45} else value + 0.014,
                status=CheckStatus.INSUFFICIENT_DATA
                if i in {44, 45}
                else CheckStatus.CRITICAL
                if critical
                else CheckStatus.WARNING
                if value < 0.711
                else CheckStatus.OK,
                limit=0.711 if i < 62 else 0.715,
                reference=0.731 if i < 62 else 0.735,
                rows=600 + 40 * (i % 7),
                labels=int((600 + 40 * (i % 7)) * (1.0 if i < days - 3 else 0.4)),
                mature=i < days - 3,
            )
        )
    return Timeline(
        model="flights",
        metric="roc_auc",
        zone=NEW_YORK,
        points=tuple(points),
        deployments=(
            DeploymentMark(at=START - 3 * DAY, version=1),
            DeploymentMark(at=START + 62 * DAY, version=2),
        ),
        incidents=(
            IncidentSpan(
                id="1",
                family=Family.PERFORMANCE,
                severity="page",
                began=START + 47 * DAY,
                start=START + 49 * DAY,
                end=START + 66 * DAY,
            ),
            IncidentSpan(
                id="2",
                family=Family.DATA_CONTRACT,
                severity="ticket",
                began=START + 75 * DAY,
                start=START + 77 * DAY,
                end=START + 83 * DAY,
            ),
            IncidentSpan(
                id="3",
                family=Family.INPUT_DRIFT,
                severity="digest",
                began=START + 92 * DAY,
                start=START + 94 * DAY,
                end=None,
            ),
        ),
        quarantined=tuple(
            Quarantine(window=day(i), reason="nulls in every weather column") for i in range(77, 82)
        ),
        estimates=tuple(
            EstimatePoint(
                window=point.window,
                version=point.version,
                value=0.73,
                lower=0.715,
                upper=0.745,
                trusted=not 50 <= i < 62,
            )
            for i, point in enumerate(points)
        ),
        evidence=tuple(
            EvidencePoint(
                window=point.window,
                version=point.version,
                share=max(0, i - 40) * 0.12 if i < 62 else 0.1,
                alarmed=49 <= i < 62,
            )
            for i, point in enumerate(points)
        ),
    )


HOSTILE = '<script>alert("x")</script> & "quotes" \'too\' 数据 ' + "long_" * 30


def example_trend(timeline: Timeline) -> tuple[TrendPoint, ...]:
    return tuple(
        TrendPoint(at=point.window.start, value=point.value, status=point.status)
        for point in timeline.points[-60:]
    )


def example_row(name: str = "flights", **changes: Any) -> ModelRow:
    timeline = example_timeline()
    newest = timeline.points[-1]
    row = ModelRow(
        name=name,
        zone=NEW_YORK,
        health=Health.WARNING,
        task=Task.BINARY,
        owner="Flight models on call",
        team="flights",
        champion=2,
        deployed_at=START + 62 * DAY,
        last=WindowBrief(
            window=newest.window, rows=newest.rows, labels=newest.labels, status=newest.status
        ),
        metric="roc_auc",
        value=newest.value,
        lower=newest.lower,
        upper=newest.upper,
        limit=newest.limit,
        trend=example_trend(timeline),
        open_incidents=1,
    )
    return replace(row, **changes)


def example_models() -> ModelsView:
    rows = (
        example_row("churn-emea", health=Health.CRITICAL, open_incidents=2, owner=None, team=None),
        example_row(),
        example_row("credit_default_risk_scorecard_retail_unsecured_lending_v4", open_incidents=0),
        example_row(HOSTILE, health=Health.HEALTHY, open_incidents=0),
        example_row("prévision-énergie", health=Health.HEALTHY, task=Task.REGRESSION, metric="mae"),
        ModelRow(name="newcomer", zone="UTC", health=Health.UNKNOWN),
    )
    return ModelsView(
        rows=rows,
        paging=Paging(number=1, size=50, total=len(rows)),
        as_of=START + 100 * DAY,
        open_incidents=3,
        in_trouble=2,
        watch=WatchView(ok=True, seconds=20.4),
    )


def example_card(name: str, rng: np.random.Generator, *, drifted: bool = False) -> FeatureCard:
    bins = 20
    reference = rng.dirichlet(np.full(bins, 30.0))
    current = rng.dirichlet(reference * (40 if drifted else 2000) + 0.05)
    return FeatureCard(
        name=name,
        kind=ColumnKind.NUMERICAL,
        status=CheckStatus.CRITICAL if drifted else CheckStatus.OK,
        psi=0.412 if drifted else 0.008,
        p_value=0.00002 if drifted else 0.44,
        null_reference=0.001,
        null_current=0.31 if drifted else 0.0,
        distribution=Distribution(
            labels=tuple(f"{i * 5} to {i * 5 + 5}" for i in range(bins)),
            reference=tuple(float(value) for value in reference),
            current=tuple(float(value) for value in current),
        ),
    )


def example_features() -> FeaturesView:
    rng = np.random.default_rng(7)
    names = ("wind_gust", HOSTILE, "visib", "dep_hour", "distance", "carrier", "origin", "temp")
    cards = tuple(example_card(name, rng, drifted=i < 2) for i, name in enumerate(names))
    empty = FeatureCard(
        name="plane_age",
        kind=ColumnKind.NUMERICAL,
        status=CheckStatus.INSUFFICIENT_DATA,
        null_current=1.0,
    )
    return FeaturesView(
        window=day(99),
        version=2,
        cards=(*cards, empty),
        paging=Paging(number=1, size=9, total=60),
        against="28 windows of 28d up to 2013-08-31 04:00",
    )


def example_strip() -> DriftStrip:
    rng = np.random.default_rng(3)
    rows = []
    for k, name in enumerate(("wind_gust", "visib", HOSTILE, "dep_hour", "distance", "carrier")):
        cells: list[DriftCell | None] = []
        for i in range(60):
            effect = float(rng.uniform(0, 0.9)) + (2.0 if k < 3 and 40 <= i < 46 else 0.0)
            status = (
                CheckStatus.CRITICAL
                if effect > 1.2
                else CheckStatus.WARNING
                if effect > 0.88
                else CheckStatus.INSUFFICIENT_DATA
                if i in {4, 5}
                else CheckStatus.OK
            )
            cells.append(
                None if i == 20 else DriftCell(status=status, value=effect / 5, effect=effect)
            )
        rows.append(DriftRow(column=name, cells=tuple(cells)))
    windows = tuple(day(40 + i) for i in range(60))
    return DriftStrip(metric="psi", windows=windows, rows=tuple(rows), hidden=54)


def example_incident(**changes: Any) -> IncidentRow:
    row = IncidentRow(
        id="142",
        model="flights",
        zone=NEW_YORK,
        family=Family.DATA_CONTRACT,
        severity="ticket",
        state="open",
        open=True,
        summary="Weather columns are null: wind_gust 0 % → 31 %, visib 0 % → 31 %",
        opened_at=START + 94 * DAY,
        columns=("wind_gust", "visib", "temp", "precip", "pressure"),
    )
    return replace(row, **changes)


def example_incidents() -> tuple[IncidentRow, ...]:
    return (
        example_incident(),
        example_incident(
            id="141",
            family=Family.PERFORMANCE,
            severity="page",
            state="resolved",
            open=False,
            summary="ROC AUC 0.698 is beyond its limit of 0.711 in 2 of 3 windows",
            opened_at=START + 49 * DAY,
            resolved_at=START + 66 * DAY,
            acknowledged_by="ana",
            columns=(),
        ),
        example_incident(id="140", model=HOSTILE, summary=HOSTILE, severity="page", columns=()),
    )


def example_runs() -> tuple[RunRow, ...]:
    evaluation = EvaluationView(
        verdict="promote",
        metric="log_loss",
        rows=4213,
        days=14,
        champion=0.5312,
        challenger=0.4987,
        difference=0.0325,
        lower=0.0211,
        upper=0.0440,
    )
    promoted = RunRow(
        id="12",
        model="flights",
        zone=NEW_YORK,
        state="succeeded",
        cause="excess_loss",
        reason="Expected excess loss of 212 until the next chance exceeds the cost of 150.",
        requested_at=START + 60 * DAY,
        started_at=START + 60 * DAY,
        finished_at=START + 60 * DAY + timedelta(minutes=2, seconds=14),
        version=2,
        evaluation=evaluation,
    )
    return (
        replace(
            promoted,
            id="held-14",
            state="held",
            held=True,
            version=None,
            evaluation=None,
            started_at=None,
            finished_at=None,
            reason="Held: a data contract incident is open, so a retrain would learn the fault.",
            requested_at=START + 78 * DAY,
        ),
        replace(
            promoted,
            id="13",
            state="failed",
            version=None,
            evaluation=None,
            reason="The training code raised ValueError: Input X contains NaN.",
        ),
        promoted,
        replace(
            promoted,
            id="11",
            state="refused",
            evaluation=replace(
                evaluation, verdict="keep", difference=-0.004, lower=-0.02, upper=0.011
            ),
        ),
    )


def example_model() -> ModelView:
    timeline = example_timeline()
    windows = tuple(
        WindowRow(
            window=point.window,
            version=point.version,
            status=point.status,
            rows=point.rows,
            labels=point.labels,
            mature=point.mature,
            revision=1 if i == 4 else 0,
            evaluated_at=point.window.end + timedelta(hours=1),
            value=point.value,
            lower=point.lower,
            upper=point.upper,
            findings=2 if i == 3 else 0,
            quarantined=i == 9,
        )
        for i, point in enumerate(reversed(timeline.points[-20:]))
    )
    return ModelView(
        row=example_row(),
        as_of=START + 100 * DAY,
        timeline=timeline,
        strip=example_strip(),
        features=example_features(),
        windows=WindowsView(
            metric="roc_auc", rows=windows, paging=Paging(number=1, size=20, total=100)
        ),
        findings=(
            Finding(
                status=CheckStatus.CRITICAL,
                family=Family.DATA_CONTRACT,
                check="null_surge",
                reason="wind_gust is null in 31 % of rows; the reference has 0.1 %.",
                column="wind_gust",
            ),
            Finding(
                status=CheckStatus.WARNING,
                family=Family.INPUT_DRIFT,
                check="drift",
                reason="visib has shifted: PSI 0.41, above its limit of 0.2.",
            ),
        ),
        versions=(
            VersionRow(
                version=2,
                created_at=START + 60 * DAY,
                artifact_format="skops",
                artifact_sha256="9f31c2" + "ab" * 29,
                generation=1,
                metrics=(("roc_auc", 0.7312), ("log_loss", 0.4871)),
                training_run_id=12,
                champion=True,
            ),
            VersionRow(
                version=1,
                created_at=START - 3 * DAY,
                artifact_format="onnx",
                artifact_sha256="00ff" * 16,
                generation=1,
                metrics=(("roc_auc", 0.7311),),
            ),
        ),
        deployments=(
            DeploymentRow(
                generation=2,
                version=2,
                at=START + 62 * DAY,
                decided_by="retrain",
                reason="Gains 0.033 ROC AUC (0.021 to 0.044) on 4,213 newest labelled rows.",
            ),
            DeploymentRow(
                generation=1,
                version=1,
                at=START - 3 * DAY,
                decided_by="ana",
                reason="First version.",
            ),
        ),
        incidents=example_incidents()[:2],
        runs=example_runs(),
        channel="#flights",
        label_delay="1 d",
        tolerance="ROC AUC may fall 0.02 below 0.735, to 0.715",
        budget=BudgetView(
            allowed="1 page a quarter",
            sentence="0 pages in 60 days: at most 4.5 a quarter; a change of roc_auc by 0.04",
            doubt="the reference of 60 days is too short to show it",
        ),
        segments=example_segments(),
    )


def example_segments() -> SegmentsView:
    rows = [
        SegmentRow(
            name=f"carrier={name}",
            status=CheckStatus.OK if reasons == () else CheckStatus.WARNING,
            value=0.72,
            lower=0.69,
            upper=0.75,
            limit=0.711,
            labels=812,
            reasons=reasons,
            trend=example_trend(example_timeline()),
        )
        for name, reasons in ((HOSTILE, (f"{HOSTILE}: PSI 0.31",)), ("UA", ()))
    ]
    quiet = SegmentRow(name="carrier=OO", status=CheckStatus.OK)
    return SegmentsView(metric="roc_auc", window=day(96), rows=(*rows, quiet), hidden=3)


def example_rules() -> tuple[RuleRow, ...]:
    rule = RuleRow(
        model=HOSTILE,
        family=Family.PERFORMANCE,
        useful=2,
        data_bug=0,
        known=1,
        noise=11,
        judged=14,
        share=2 / 14,
        lower=0.04,
        upper=0.40,
        fire=2,
        of=3,
        sentence="2 of 14 useful",
        proposed_fire=3,
        proposed_of=4,
        kept=2,
        dropped=9,
    )
    return rule, replace(rule, model="flights", proposed_fire=None, proposed_of=None)


def example_incident_view() -> IncidentView:
    at = START + 94 * DAY
    return IncidentView(
        row=example_incident(),
        as_of=START + 100 * DAY,
        audit=(
            AuditEntry(at=at, actor="watchkeeper", action="opened", before="pending", after="open"),
            AuditEntry(
                at=at + timedelta(hours=1),
                actor="watchkeeper",
                action="note",
                text="Retraining is held: input looks broken, so a retrain would learn the fault.",
            ),
            AuditEntry(
                at=at + timedelta(hours=2),
                actor="ana",
                action="acknowledged",
                before="open",
                after="acked",
                text="Looking at the feed.",
            ),
        ),
        deliveries=(
            DeliveryRow(
                id="6f2a3c1e-9d0b-5a47-8a8e-3f1d2c4b5a69",
                destination="#flights",
                kind="root",
                state="sent",
                attempts=1,
                at=at,
                waited=0.42,
            ),
            DeliveryRow(
                id="0b1c2d3e-4f50-5a47-8a8e-3f1d2c4b5a70",
                destination="#flights",
                kind="thread",
                state="ambiguous",
                attempts=2,
                at=at + timedelta(hours=1),
                error="the connection was lost after the message was sent",
            ),
        ),
        evidence=(
            Finding(
                status=CheckStatus.CRITICAL,
                family=Family.DATA_CONTRACT,
                check="null_surge",
                reason="wind_gust is null in 31 % of rows; the reference has 0.1 %.",
                column="wind_gust",
                metric="null_share",
                value=0.31,
                limit=0.05,
                window=day(93),
            ),
        ),
        timeline=example_timeline(),
        runs=example_runs()[:1],
        revision=7,
        attribution=AttributionView(
            window=day(93),
            sentence=f"The mean log loss rose from 0.48 to 0.72. {HOSTILE} adds 58% of it.",
            loss="log_loss",
            change=0.24,
            kinds=(
                Bar(name="other labels for the same rows", value=0.26, lower=0.1, upper=0.4),
                Bar(name="rows of kinds hardly seen before", value=-0.02, lower=-0.05, upper=0.01),
            ),
            segments=(Bar(name=f"carrier {HOSTILE}", value=0.14, note="20% of the rows"),),
            columns=(Bar(name=HOSTILE, value=0.11), Bar(name="visibility", value=0.02)),
            shared=(HOSTILE, "delays"),
        ),
    )


def example_run_view() -> RunView:
    return RunView(
        row=example_runs()[2],
        as_of=START + 100 * DAY,
        log="reading 41,250 rows\nfit 17 columns\nroc_auc on the newest fifth: 0.7312\n",
        facts=(("Training rows", "41,250"), ("Trained on", "1 Mar – 29 Jul 2013")),
        quarantined=(Quarantine(window=day(44), reason="nulls in every weather column"),),
    )


@pytest.fixture
def models_view() -> ModelsView:
    return example_models()


@pytest.fixture
def model_view() -> ModelView:
    return example_model()


@pytest.fixture
def incident_view() -> IncidentView:
    return example_incident_view()


@pytest.fixture
def run_view() -> RunView:
    return example_run_view()


@pytest.fixture
def incidents_view() -> IncidentsView:
    rows = example_incidents()
    return IncidentsView(
        rows=rows,
        paging=Paging(number=1, size=50, total=len(rows)),
        as_of=START + 100 * DAY,
        open_total=2,
        rules=example_rules(),
    )


@pytest.fixture
def runs_view() -> RunsView:
    return RunsView(
        rows=example_runs(),
        paging=Paging(number=1, size=50, total=130),
        as_of=START + 100 * DAY,
    )
