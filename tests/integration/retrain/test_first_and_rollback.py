"""The first version of a model, and the way back to an earlier one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from monitor.reference_store import References
from retrain.first import train_first
from retrain.model import RunState, Trigger
from retrain.repository import RetrainRuns
from retrain.rollback import rollback
from retraining import (
    DAY,
    LIVE,
    NOW,
    ROWS,
    SCHEMA,
    TABLE_DAYS,
    World,
    deploy,
    place,
    serving,
    settings,
)
from serving.artifact import load
from watchkeeper.database import read, write
from watchkeeper.errors import ConflictError, NotFoundError, TableError, TrainingError
from watchkeeper.registry.artifacts import Artifacts
from watchkeeper.registry.repository import Deployments, ModelVersions


def test_the_first_version_holds_the_newest_fifth_out(world: World, engine: Engine) -> None:
    version = train_first(place(world, engine), settings(), str(world.home / "train.parquet"))

    assert (version.version, serving(engine)) == (1, 1)
    assert [c.name for c in version.schema.columns] == ["speed", "carrier"]
    assert version.schema.columns[1].categories == ("AA", "UA")
    assert not version.schema.columns[0].nullable
    model = load(Artifacts(world.home / "artifacts").open(version.artifact_sha256))
    assert model.schema == version.schema
    with read(engine) as session:
        reference = References(session).get("flights", 1)
        first = RetrainRuns(session).of("flights")[0]
    assert (first.trigger, first.state, first.version) == (Trigger.FIRST, RunState.SUCCEEDED, 1)
    assert reference.profile.rows == pytest.approx(TABLE_DAYS * ROWS / 5, abs=2)
    assert reference.end == LIVE
    assert datetime.fromisoformat(first.data["trained_until"]) <= reference.start + DAY
    assert version.metrics["log_loss"] == pytest.approx(0.36, abs=0.1)
    with pytest.raises(ConflictError, match="has version 1 already; retrain it instead"):
        train_first(place(world, engine), settings(), "train.parquet")


def test_a_first_training_that_fails_says_so_and_may_be_tried_again(
    world: World, sqlite_engine: Engine, tmp_path: Path
) -> None:
    at = place(world, sqlite_engine)
    (tmp_path / "cut.parquet").write_bytes((world.home / "train.parquet").read_bytes()[:2000])
    with pytest.raises(TableError, match="not a whole Parquet file"):
        train_first(at, settings(), str(tmp_path / "cut.parquet"))
    (world.home / "none.py").write_text("def train(context):\n    return None\n")
    with pytest.raises(TrainingError, match="expected a fitted estimator"):
        train_first(at, settings(command="none.py:train"), str(world.home / "train.parquet"))
    with read(sqlite_engine) as session:
        states = [run.state for run in RetrainRuns(session).of("flights")]
    assert states == [RunState.FAILED, RunState.FAILED]


def test_a_rollback_is_a_new_line_of_the_ledger(engine: Engine, world: World) -> None:
    with write(engine) as session:
        with pytest.raises(NotFoundError, match="no deployed version of model 'flights'"):
            rollback(session, "flights", None, actor="ann", reason="x", now=NOW)
        deploy(session, world)
        with pytest.raises(ConflictError, match="there was no version before 1"):
            rollback(session, "flights", None, actor="ann", reason="x", now=NOW)
        second = ModelVersions(session).add(
            name="flights",
            schema=SCHEMA,
            artifact_sha256=world.champion,
            artifact_format="onnx",
            at=NOW,
        )
        Deployments(session).append(
            "flights", second.version, decided_by="watchkeeper", reason="better", at=NOW
        )
        back = rollback(session, "flights", None, actor="ann", reason="pages", now=NOW)
        assert (back.generation, back.version, back.reason) == (3, 1, "rollback: pages")
        with pytest.raises(ConflictError, match="version 1 serves already"):
            rollback(session, "flights", 1, actor="ann", reason="x", now=NOW)
