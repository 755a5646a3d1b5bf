"""Example models, features and segments for the pages to show."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np

from monitor.model import CheckStatus, Family
from reports.model import (
    BudgetView,
    DeploymentRow,
    Distribution,
    DriftCell,
    DriftRow,
    DriftStrip,
    FeatureCard,
    FeaturesView,
    Finding,
    Health,
    ModelRow,
    ModelsView,
    ModelView,
    Paging,
    SegmentRow,
    SegmentsView,
    VersionRow,
    WatchView,
    WindowBrief,
    WindowRow,
    WindowsView,
)
from shown_incidents import example_incidents, example_runs
from shown_timeline import DAY, HOSTILE, NEW_YORK, START, day, example_timeline, example_trend
from watchkeeper.schema import ColumnKind, Task


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
