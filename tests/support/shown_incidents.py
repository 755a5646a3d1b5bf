"""Example incidents, runs and rules for the pages to show."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from monitor.model import CheckStatus, Family
from reports.model import (
    AttributionView,
    AuditEntry,
    Bar,
    DeliveryRow,
    EvaluationView,
    Finding,
    IncidentRow,
    IncidentView,
    Quarantine,
    RuleRow,
    RunRow,
    RunView,
)
from shown_timeline import DAY, HOSTILE, NEW_YORK, START, day, example_timeline


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
