"""Whole runs, from the queue to the ledger, on real processes, files and both databases."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from monitor.reference_store import References
from retrain.memory import Quarantine
from retrain.model import PolicyState, RunState
from retraining import (
    DAY,
    LIVE,
    LOG_DAYS,
    NOW,
    ROWS,
    SCHEMA,
    TABLE_DAYS,
    World,
    deploy,
    labels,
    predictions,
    queue,
    run,
    serving,
    settings,
    state,
    table,
)
from watchkeeper.database import read, write
from watchkeeper.lake import Lake
from watchkeeper.registry.artifacts import Artifacts
from watchkeeper.registry.repository import Deployments, ModelVersions
from watchkeeper.tolerance import Change, Tolerance
from watchkeeper.window import Window


def test_a_better_challenger_is_promoted_with_its_evidence(world: World, deployed: Engine) -> None:
    queue(deployed, settings(), automatic=True)
    outcome = run(world, deployed, settings())

    assert outcome is not None
    assert outcome.promoted, outcome.text
    ended = outcome.run
    assert (ended.state, ended.version, serving(deployed)) == (RunState.SUCCEEDED, 2, 2)
    assert ended.evaluation is not None
    assert ended.evaluation["verdict"] == "promote"
    assert ended.evaluation["lower"] > 0.5
    assert ended.evaluation["days"] == 8
    assert ended.data["lake"] == {"predictions/1": 1, "labels": 1}
    # 24 days are logged: 8 judge, and the 14 days before them train.
    assert ended.data["judged_from"] == "2013-02-16"
    assert datetime.fromisoformat(ended.data["trained_until"]) <= LIVE + 16 * DAY
    assert ended.data["trained_rows"] == 14 * ROWS
    json.dumps([ended.data, ended.evaluation], allow_nan=False)
    log = Path(str(ended.log_path))
    assert log.is_file()
    assert not list(log.parent.glob("*.parquet"))
    assert outcome.text.startswith("Retraining run 2 promoted version 2, trained on ")
    with read(deployed) as session:
        version = ModelVersions(session).get("flights", 2)
        line = Deployments(session).history("flights")[-1]
        reference = References(session).get("flights", 2)
    assert version.training_run_id == ended.id
    assert version.metrics["log_loss"] < 0.4
    assert (line.decided_by, line.reason) == ("watchkeeper", ended.reason)
    assert reference.end - reference.start == 8 * DAY
    assert state(deployed) == PolicyState(
        model="flights", level=settings().tolerance.limit(0.4), attempted_at=NOW, last_run=ended.id
    )


def test_a_challenger_that_is_no_better_is_refused_and_kept(world: World, deployed: Engine) -> None:
    """Nothing has changed, so there is nothing to learn."""
    queue(deployed, settings(), automatic=True)
    outcome = run(world, deployed, settings(), lake=same_concept(world))

    assert outcome is not None
    assert outcome.run.state is RunState.REFUSED
    assert serving(deployed) == 1
    assert outcome.text.startswith("Retraining run 2 brought no better version: no clear winner")
    with read(deployed) as session:
        assert ModelVersions(session).get("flights", 2).training_run_id == 2
    left = state(deployed)
    assert (left.useless, left.carried, left.attempted_at) == (1, 50.0, NOW)


def same_concept(world: World) -> Lake:
    root = world.home / "calm"
    if not root.exists():
        live = table(LIVE, LOG_DAYS, sign=1)
        lake = Lake(str(root))
        lake.append_predictions("flights", 1, predictions(live), writer="test", sequence=1)
        lake.append_labels("flights", labels(live), writer="test", sequence=1)
    return Lake(str(root))


def test_a_search_finds_the_past_that_fits(world: World, deployed_sqlite: Engine) -> None:
    """The newest quarter of the past alone is wholly of the new concept."""
    model = settings(window="search")
    queue(deployed_sqlite, model)
    outcome = run(world, deployed_sqlite, model)

    assert outcome is not None
    assert outcome.promoted, outcome.text
    tried = outcome.run.data["search"]
    losses = [line["loss"] for line in tried]
    assert len(losses) == 3
    assert losses[2] == min(losses)
    assert outcome.run.data["trained_from"] >= tried[2]["from"]


def test_quarantined_windows_are_neither_trained_on_nor_judged_by(
    world: World, deployed_sqlite: Engine
) -> None:
    away = [Window(start=LIVE + n * DAY, end=LIVE + (n + 1) * DAY) for n in (10, 11, 20)]
    with write(deployed_sqlite) as session:
        for window in away:
            Quarantine(session).add("flights", window, "null_surge in speed", NOW)
    queue(deployed_sqlite, settings())
    outcome = run(world, deployed_sqlite, settings())

    assert outcome is not None
    assert outcome.run.data["rows"] == (TABLE_DAYS + LOG_DAYS - 3) * ROWS
    assert len(outcome.run.data["quarantined"]) == 3
    assert outcome.run.evaluation is not None
    assert outcome.run.evaluation["days"] == 7


def test_too_few_new_days_are_refused_before_anything_is_fitted(
    world: World, sqlite_engine: Engine
) -> None:
    with write(sqlite_engine) as session:
        deploy(session, world, seen_until=LIVE + 20 * DAY)
    queue(sqlite_engine, settings(), automatic=True)
    outcome = run(world, sqlite_engine, settings())

    assert outcome is not None
    assert outcome.run.state is RunState.REFUSED
    assert "4 days of mature labels since the champion was trained" in outcome.text
    waiting = state(sqlite_engine)
    assert (waiting.useless, waiting.carried, waiting.attempted_at) == (0, 0.0, NOW)


def test_code_that_raises_fails_the_run_and_is_charged(world: World, deployed: Engine) -> None:
    (world.home / "broken.py").write_text("def train(context):\n    raise KeyError('speed')\n")
    model = settings(command="broken.py:train")
    queue(deployed, model, automatic=True)
    outcome = run(world, deployed, model)

    assert outcome is not None
    assert outcome.run.state is RunState.FAILED
    assert outcome.text == "Retraining run 2 failed: broken.py:2: KeyError: 'speed'"
    assert (serving(deployed), state(deployed).useless) == (1, 1)


def test_an_altered_champion_is_found_by_its_hash(
    world: World, deployed_sqlite: Engine, tmp_path: Path
) -> None:
    shutil.copytree(world.home / "artifacts", tmp_path / "artifacts")
    altered = next((tmp_path / "artifacts").rglob(f"{world.champion}/**/self_test.json"))
    altered.chmod(0o644)
    altered.write_text("{}")
    queue(deployed_sqlite, settings())
    outcome = run(world, deployed_sqlite, settings(), artifacts=Artifacts(tmp_path / "artifacts"))

    assert outcome is not None
    assert outcome.run.state is RunState.FAILED
    assert "self_test.json" in outcome.text


def test_a_deployment_in_between_is_not_overwritten(world: World, deployed: Engine) -> None:
    def meddle(_model: str, step: str) -> None:
        if step.startswith("judging"):
            with write(deployed) as session:
                other = ModelVersions(session).add(
                    name="flights",
                    schema=SCHEMA,
                    artifact_sha256=world.champion,
                    artifact_format="onnx",
                    at=NOW,
                )
                Deployments(session).append(
                    "flights", other.version, decided_by="ann", reason="by hand", at=NOW
                )

    queue(deployed, settings(), automatic=True)
    outcome = run(world, deployed, settings(), progress=meddle)

    assert outcome is not None
    assert outcome.run.state is RunState.REFUSED
    assert "changed in the meantime" in outcome.text
    assert serving(deployed) == 2


def test_the_owners_function_judges_both_models(world: World, deployed_sqlite: Engine) -> None:
    (world.home / "metrics.py").write_text(
        "def hits(rows):\n"
        "    said = rows.y_pred_proba >= 0.5\n"
        "    return (said == rows.y_true) * 1.0, (rows.carrier == 'AA') * 1.0\n"
    )
    model = settings()
    held = Tolerance(metric="metrics.py:hits", drop=Change.parse("5%")).within(world.home)
    model = model.model_copy(update={"tolerance": held})
    queue(deployed_sqlite, model)
    outcome = run(world, deployed_sqlite, model)

    assert outcome is not None
    assert outcome.promoted, outcome.text
    found = outcome.run.evaluation
    assert found is not None
    assert found["metric"] == "negative hits"
    # The concept has turned round: what one model hits, the other misses.
    assert found["challenger"] < -1.5
    assert found["champion"] > -0.5
    assert "negative hits" in outcome.text


def test_a_function_that_fails_ends_the_run_in_one_line(
    world: World, deployed_sqlite: Engine
) -> None:
    (world.home / "metrics.py").write_text("def hits(rows):\n    return rows.height\n")
    held = Tolerance(metric="metrics.py:hits", drop=Change.parse("5%")).within(world.home)
    model = settings().model_copy(update={"tolerance": held})
    queue(deployed_sqlite, model)
    outcome = run(world, deployed_sqlite, model)

    assert outcome is not None
    assert outcome.run.state is RunState.FAILED
    assert "metrics.py:hits: metrics.py:2: AttributeError: " in outcome.text
    assert serving(deployed_sqlite) == 1
