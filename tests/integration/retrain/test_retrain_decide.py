"""Decisions about retraining, window by window, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from monitor.model import (
    CheckResult,
    CheckStatus,
    EvaluatedWindow,
    Family,
    Measurement,
    Threshold,
)
from retrain.claims import RetrainClaims
from retrain.decide import consider, request_run
from retrain.memory import Decisions, PolicyMemory, Quarantine
from retrain.model import Action, PolicyState, RetrainDecision, RunState, Trigger
from retrain.repository import RetrainRuns
from watchkeeper.database import read, write
from watchkeeper.errors import ConfigurationError, ConflictError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.repository import Deployments, ModelVersions
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.window import Window

START = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SCHEMA = FeatureSchema(
    columns=(Column(name="speed", kind=ColumnKind.NUMERICAL),),
    target="late",
    task=Task.BINARY,
    classes=("0", "1"),
)


def settings(**retrain: Any) -> ModelSettings:
    return ModelSettings.model_validate(
        {
            "model": "flights",
            "task": "binary",
            "owner": {"name": "on call"},
            "timestamp": "timestamp",
            "prediction": {"score": "y_pred_proba"},
            "label": {"column": "late", "delay": "1d"},
            "windows": {"size": "1d"},
            "tolerance": {"metric": "log_loss", "rise": "10%"},
            "retrain": {
                "command": "train.py:train",
                "cost": 100,
                "minimum_labels": 500,
                "window": "all",
                **retrain,
            },
        }
    )


def window(number: int) -> Window:
    return Window(start=START + number * DAY, end=START + (number + 1) * DAY)


def evaluated(
    number: int,
    loss: float | None = 0.5,
    *,
    broken: bool = False,
    revision: int = 0,
    version: int = 1,
    mature: bool = True,
) -> EvaluatedWindow:
    results: list[CheckResult] = []
    if loss is not None:
        results.append(result(number, "log_loss", Family.PERFORMANCE, loss, CheckStatus.OK))
    if broken:
        status = CheckStatus.CRITICAL
        results.append(
            result(number, "null_share", Family.DATA_CONTRACT, 1.0, status, column="speed")
        )
    return EvaluatedWindow(
        model="flights",
        version=version,
        window=window(number),
        rows=500,
        labels=500,
        labels_mature=mature,
        evaluated_at=window(number).end,
        results=tuple(results),
        revision=revision,
    )


def result(
    number: int,
    metric: str,
    family: Family,
    value: float,
    status: CheckStatus,
    *,
    column: str | None = None,
) -> CheckResult:
    return CheckResult(
        measurement=Measurement(
            model="flights",
            version=1,
            metric=metric,
            column=column,
            window=window(number),
            value=value,
            lower=value - 0.02,
            upper=value + 0.02,
            n_current=500,
            computed_at=window(number).end,
        ),
        threshold=Threshold(method="constant"),
        family=family,
        check="null_surge" if family is Family.DATA_CONTRACT else "performance",
        status=status,
        reason="…",
    )


@pytest.fixture
def deployed(engine: Engine) -> Engine:
    with write(engine) as session:
        # With the ten percent that are tolerated, 0.4 is the worst that is no excess.
        register(session, {"log_loss": 0.4 / 1.1})
    return engine


def register(session: Session, metrics: dict[str, float]) -> int:
    version = ModelVersions(session).add(
        name="flights",
        schema=SCHEMA,
        artifact_sha256="0" * 64,
        artifact_format="skops",
        at=START,
        metrics=metrics,
    )
    Deployments(session).append(
        "flights", version.version, decided_by="test", reason="test", at=START
    )
    return version.version


def decide(
    engine: Engine,
    seen: EvaluatedWindow,
    model: ModelSettings | None = None,
    *,
    incident: bool = False,
    now: datetime | None = None,
) -> RetrainDecision:
    with write(engine) as session:
        return consider(
            session,
            seen,
            model or settings(),
            now=now or seen.window.end,
            input_incident_open=incident,
        )


def actions(decisions: Sequence[RetrainDecision]) -> list[str]:
    return [str(decision.action) for decision in decisions]


def test_a_run_is_queued_once_the_excess_loss_exceeds_the_cost(deployed: Engine) -> None:
    """Each day adds (0.5 - 0.4 - 0.5 x 0.0102) x 500 = 47.4."""
    decisions = [decide(deployed, evaluated(number)) for number in range(5)]

    assert actions(decisions) == ["not_due", "not_due", "queued", "not_due", "not_due"]
    assert decisions[2].reason == "142 excess log-loss units since 1 June, cost 100"
    assert "run 1 is queued already" in decisions[3].reason
    with read(deployed) as session:
        runs = RetrainRuns(session).of("flights")
        assert [(run.state, run.trigger) for run in runs] == [
            (RunState.QUEUED, Trigger.EXCESS_LOSS)
        ]
        assert runs[0].cause == decisions[2].reason
        assert actions(Decisions(session).of("flights")) == ["queued"]


def test_the_same_revision_is_considered_once_and_a_correction_replaces_it(
    deployed: Engine,
) -> None:
    for _ in range(5):
        decide(deployed, evaluated(0, 0.45))
    assert decide(deployed, evaluated(0, 0.45)).reason == "this revision was considered before"

    decide(deployed, evaluated(1, 0.45))
    corrected = decide(deployed, evaluated(0, 0.7, revision=1))

    assert corrected.action is Action.QUEUED
    assert corrected.reason.startswith("170 excess")


def test_immature_windows_are_not_judged(deployed: Engine) -> None:
    decisions = [decide(deployed, evaluated(number, 0.9, mature=False)) for number in range(9)]

    assert set(actions(decisions)) == {"not_due"}


def test_broken_input_holds_retraining_and_is_recorded_once(deployed: Engine) -> None:
    decisions = [decide(deployed, evaluated(number)) for number in range(2)]
    decisions += [decide(deployed, evaluated(number, 0.9, broken=True)) for number in range(2, 6)]

    assert actions(decisions[2:]) == ["held"] * 4
    assert [decision.recorded for decision in decisions[2:]] == [True, False, False, False]
    assert decisions[2].reason == (
        "held: the newest window (3 June) is in quarantine (null_surge in speed); not due "
        "meanwhile: 95 excess log-loss units since 1 June, cost 100"
    )
    with read(deployed) as session:
        assert RetrainRuns(session).of("flights") == []
        assert [q.window for q in Quarantine(session).of("flights")] == [
            window(number) for number in range(2, 6)
        ]


def test_a_hold_says_once_more_when_the_policy_becomes_due(deployed: Engine) -> None:
    decide(deployed, evaluated(0))
    first = decide(deployed, evaluated(1), incident=True)
    due = decide(deployed, evaluated(2), incident=True)
    later = decide(deployed, evaluated(3), incident=True)

    assert [decision.recorded for decision in (first, due, later)] == [True, True, False]
    assert due.reason.startswith("held: an incident of the model's input is open; due meanwhile")
    with read(deployed) as session:
        assert [d.reason for d in Decisions(session).of("flights")] == [due.reason]


def test_it_resumes_when_the_input_is_whole_again(deployed: Engine) -> None:
    for number in range(4):
        decide(deployed, evaluated(number), incident=number >= 2)
    resumed = decide(deployed, evaluated(4))

    assert resumed.action is Action.QUEUED
    with read(deployed) as session:
        assert actions(Decisions(session).of("flights")) == ["queued", "held"]


def test_every_episode_of_broken_input_has_a_record_of_its_own(deployed: Engine) -> None:
    for number, broken in enumerate([True, False, True, True, False]):
        decide(deployed, evaluated(number, 0.4, broken=broken))

    with read(deployed) as session:
        assert actions(Decisions(session).of("flights")) == ["held", "held"]


def test_quarantined_windows_do_not_count_and_a_correction_releases_them(
    deployed: Engine,
) -> None:
    decide(deployed, evaluated(0, 5.0, broken=True))
    assert decide(deployed, evaluated(1, 0.4)).action is Action.NOT_DUE

    released = decide(deployed, evaluated(0, 5.0, revision=1))

    assert released.action is Action.QUEUED
    with read(deployed) as session:
        assert Quarantine(session).of("flights") == []


def test_a_queued_run_waits_while_the_input_is_broken(deployed: Engine) -> None:
    for number in range(3):
        decide(deployed, evaluated(number))
    decide(deployed, evaluated(3, broken=True))

    with write(deployed) as session:
        assert RetrainClaims(session).claim("worker", 60, START) is None
    decide(deployed, evaluated(4))
    with write(deployed) as session:
        assert RetrainClaims(session).claim("worker", 60, START) is not None


def test_a_person_may_retrain_at_any_time_but_once_per_request(deployed: Engine) -> None:
    decide(deployed, evaluated(0, broken=True))
    with write(deployed) as session:
        run = request_run(session, settings(), by="ann", key="click-1", now=START)
        assert (run.trigger, run.cause) == (Trigger.MANUAL, "requested by ann")
        with pytest.raises(ConflictError, match="run 1 is queued already"):
            request_run(session, settings(), by="ann", key="click-2", now=START)
        claimed = RetrainClaims(session).claim("worker", 60, START)
        assert claimed is not None
        RetrainClaims(session).finish(
            claimed, RunState.REFUSED, reason="no better", finished_at=START
        )
        with pytest.raises(ConflictError, match="this request has had its run"):
            request_run(session, settings(), by="ann", key="click-1", now=START)


def test_a_useless_retrain_is_escalated_once(deployed: Engine) -> None:
    with write(deployed) as session:
        run = request_run(session, settings(), by="ann", key="1", now=START)
        RetrainRuns(session).cancel(run.id, by="ann", at=START)
        PolicyMemory(session).remember(
            PolicyState(
                model="flights",
                level=0.4,
                attempted_at=START,
                useless=1,
                last_run=run.id,
                carried=50,
            )
        )
    decisions = [decide(deployed, evaluated(number)) for number in range(15)]

    assert actions(decisions) == ["not_due"] * 6 + ["escalated"] * 7 + ["queued", "not_due"]
    assert [d.recorded for d in decisions[6:14]] == [True] + [False] * 6 + [True]
    assert "a person should look" in decisions[6].reason


def test_the_level_stays_that_of_the_first_version(deployed: Engine) -> None:
    decide(deployed, evaluated(0))
    with write(deployed) as session:
        register(session, {"log_loss": 0.6})
    decisions = [decide(deployed, evaluated(number, version=2)) for number in range(1, 4)]

    assert actions(decisions) == ["not_due", "not_due", "queued"]


def test_without_a_deployed_version_or_settings_nothing_is_due(engine: Engine) -> None:
    assert decide(engine, evaluated(0)).reason == "no version is deployed"
    silent = settings().model_copy(update={"retrain": None})
    assert decide(engine, evaluated(1), silent).reason == "retraining is not configured"
    with write(engine) as session, pytest.raises(ConfigurationError, match="retrain: "):
        request_run(session, silent, by="ann", key="1", now=START)
