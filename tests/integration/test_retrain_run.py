"""Whole runs, from the queue to the ledger, on real processes, files and both databases."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from monitor.reference import Reference
from monitor.reference_store import References
from retrain.claims import RetrainClaims
from retrain.conclude import RetrainOutcome
from retrain.decide import request_run
from retrain.first import train_first
from retrain.memory import PolicyMemory, Quarantine
from retrain.model import PolicyState, RetrainRun, RunState, Trigger
from retrain.repository import RetrainRuns
from retrain.rollback import rollback
from retrain.run import RetrainWorker
from retrain.runner import Limits
from retrain.workplace import Workplace
from serving.artifact import load, save
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read, write
from watchkeeper.errors import ConflictError, NotFoundError, TableError, TrainingError
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.artifacts import Artifacts
from watchkeeper.registry.model import ModelVersion
from watchkeeper.registry.repository import Deployments, ModelVersions
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.window import Window

START = datetime(2013, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
#: The training table covers 30 days, the log the next 24; the concept turns round after the table.
TABLE_DAYS, LOG_DAYS, ROWS = 30, 24, 40
LIVE = START + TABLE_DAYS * DAY
NOW = LIVE + (LOG_DAYS + 2) * DAY
SCHEMA = FeatureSchema(
    columns=(
        Column(name="speed", kind=ColumnKind.NUMERICAL, nullable=False),
        Column(
            name="carrier",
            kind=ColumnKind.CATEGORICAL,
            nullable=False,
            categories=("AA", "UA"),
        ),
    ),
    target="late",
    task=Task.BINARY,
    classes=("0", "1"),
)
SCRIPT = """
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def train(context):
    frame = context.read()
    model = make_pipeline(
        make_column_transformer(("passthrough", ["speed"])), LogisticRegression())
    return model.fit(frame.features, frame.label)
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """Files that tests read but do not change: training table, log, the champion's artifact."""

    home: Path
    champion: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    home = tmp_path_factory.mktemp("project")
    (home / "train.py").write_text(SCRIPT)
    table(START, TABLE_DAYS, sign=1).to_parquet(home / "train.parquet")
    live = table(LIVE, LOG_DAYS, sign=-1)
    lake = Lake(str(home / "lake"))
    lake.append_predictions("flights", 1, predictions(live), writer="test", sequence=1)
    lake.append_labels("flights", labels(live), writer="test", sequence=1)
    past = table(START, TABLE_DAYS, sign=1)
    model = make_pipeline(make_column_transformer(("passthrough", ["speed"])), LogisticRegression())
    model.fit(past[["speed", "carrier"]], past["late"])
    save(model, SCHEMA, past[["speed", "carrier"]], home / "champion")
    sha256 = Artifacts(home / "artifacts").put(home / "champion")
    return World(home=home, champion=sha256)


def table(start: datetime, days: int, *, sign: int) -> pd.DataFrame:
    rng = np.random.default_rng(days)
    count = days * ROWS
    speed = rng.normal(0, 1, count)
    return pd.DataFrame(
        {
            "timestamp": pd.date_range(start, periods=count, freq=DAY / ROWS),
            "speed": speed,
            "carrier": rng.choice(["AA", "UA"], count),
            "late": (sign * speed + rng.normal(0, 0.5, count) > 0).astype(int),
        }
    )


def predictions(live: pd.DataFrame) -> pa.Table:
    stamps = pa.array(live["timestamp"].dt.as_unit("us"))
    count = len(live)
    return pa.table(
        {
            "prediction_id": [f"p{i}" for i in range(count)],
            "version": pa.array([1] * count, pa.int32()),
            "timestamp": stamps,
            "predicted_at": stamps,
            "speed": live["speed"],
            "carrier": pa.array(live["carrier"].tolist(), pa.string()),
            "y_pred": pa.array([0] * count, pa.int64()),
            "y_pred_proba": pa.array([0.5] * count, pa.float64()),
            "served_by": pa.array(["champion"] * count, pa.string()),
        }
    )


def labels(live: pd.DataFrame) -> pa.Table:
    stamps = pa.array((live["timestamp"] + timedelta(hours=5)).dt.as_unit("us"))
    return pa.table(
        {
            "prediction_id": [f"p{i}" for i in range(len(live))],
            "y_true": pa.array(live["late"], pa.int64()),
            "labelled_at": stamps,
            "received_at": stamps,
        }
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
                "data": "train.parquet",
                "cost": 100,
                "minimum_labels": 100,
                "window": "14d",
                **retrain,
            },
        }
    )


def store(session: Session, version: ModelVersion, reference: Reference) -> None:
    References(session).add(version.name, version.version, reference, version.created_at)


def place(world: World, engine: Engine, **changes: Any) -> Workplace:
    parts: dict[str, Any] = {
        "engine": engine,
        "lake": Lake(str(world.home / "lake")),
        "artifacts": Artifacts(world.home / "artifacts"),
        "clock": SteppedClock(NOW),
        "home": world.home,
        "runs": world.home / "runs",
        "limits": Limits(timeout=60, memory=2 << 30),
        "store": store,
        "owner": "test",
    }
    return Workplace(**(parts | changes))


def deploy(session: Session, world: World, *, seen_until: datetime = LIVE) -> None:
    """Register the champion as a first training would have, and put it in force."""
    run = RetrainRuns(session).add(
        model="flights",
        trigger=Trigger.FIRST,
        cause="first training",
        retrain_key="first",
        requested_by="test",
        seed=1,
        fits=1,
        queued_at=START,
    )
    assert run is not None
    claimed = RetrainClaims(session).start(run, "test", 60, START)
    assert claimed is not None
    until = {"trained_until": seen_until.isoformat()}
    RetrainClaims(session).note(claimed, data=until, log_path=None)
    version = ModelVersions(session).add(
        name="flights",
        schema=SCHEMA,
        artifact_sha256=world.champion,
        artifact_format="onnx",
        at=LIVE,
        training_run_id=run.id,
        metrics={"log_loss": 0.4},
    )
    RetrainClaims(session).finish(
        claimed, RunState.SUCCEEDED, reason="first", finished_at=LIVE, version=1
    )
    Deployments(session).append(
        "flights", version.version, decided_by="test", reason="first", at=LIVE
    )


def queue(engine: Engine, model: ModelSettings, *, automatic: bool = False) -> RetrainRun:
    with write(engine) as session:
        if not automatic:
            return request_run(session, model, by="ann", key="1", now=NOW)
        run = RetrainRuns(session).add(
            model="flights",
            trigger=Trigger.EXCESS_LOSS,
            cause="412 excess log-loss units since 1 February, cost 100",
            retrain_key="flights:excess_loss:1",
            requested_by="watchkeeper",
            seed=7,
            fits=1,
            queued_at=NOW,
        )
        assert run is not None
        return run


@pytest.fixture
def deployed(engine: Engine, world: World) -> Engine:
    with write(engine) as session:
        deploy(session, world)
    return engine


@pytest.fixture
def deployed_sqlite(sqlite_engine: Engine, world: World) -> Engine:
    with write(sqlite_engine) as session:
        deploy(session, world)
    return sqlite_engine


def run(
    world: World, engine: Engine, model: ModelSettings, **changes: Any
) -> RetrainOutcome | None:
    return RetrainWorker(place=place(world, engine, **changes), models={"flights": model}).run_next(
        NOW
    )


def state(engine: Engine) -> PolicyState:
    with read(engine) as session:
        found = PolicyMemory(session).state("flights")
        assert found is not None
        return found


def serving(engine: Engine) -> int:
    with read(engine) as session:
        current = Deployments(session).current("flights")
        assert current is not None
        return current.version


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


def test_a_cancelled_run_ends_soon_and_is_not_charged(
    world: World, deployed_sqlite: Engine
) -> None:
    (world.home / "slow.py").write_text("import time\ndef train(context):\n    time.sleep(600)\n")
    model = settings(command="slow.py:train")
    queued = queue(deployed_sqlite, model, automatic=True)

    def cancel(_model: str, step: str) -> None:
        if step.startswith("training"):
            with write(deployed_sqlite) as session:
                RetrainRuns(session).cancel(queued.id, by="ann", at=NOW)

    started = time.monotonic()
    outcome = run(
        world,
        deployed_sqlite,
        model,
        progress=cancel,
        lease=0.6,
        limits=Limits(timeout=60, memory=2 << 30, heartbeat=0.1),
    )

    assert outcome is not None
    assert outcome.text == "Retraining run 2 was cancelled: cancelled on request"
    assert time.monotonic() - started < 15
    with read(deployed_sqlite) as session:
        assert PolicyMemory(session).state("flights") is None


def test_a_worker_that_shuts_down_gives_its_run_back(world: World, deployed_sqlite: Engine) -> None:
    steps: list[str] = []
    queued = queue(deployed_sqlite, settings())
    outcome = run(
        world,
        deployed_sqlite,
        settings(),
        progress=lambda _model, step: steps.append(step),
        stopping=lambda: len(steps) >= 2,
        limits=Limits(timeout=60, memory=2 << 30, heartbeat=0.05),
    )

    assert outcome is None
    with read(deployed_sqlite) as session:
        waiting = RetrainRuns(session).get(queued.id)
    assert (waiting.state, waiting.attempts) == (RunState.QUEUED, 0)


def test_a_run_of_a_model_that_is_gone_fails_with_a_reason(
    world: World, deployed_sqlite: Engine
) -> None:
    queue(deployed_sqlite, settings())
    worker = RetrainWorker(place=place(world, deployed_sqlite), models={})
    outcome = worker.run_next(NOW)

    assert outcome is not None
    assert outcome.text == "Retraining run 2 failed: how to retrain it is no longer configured"
    assert worker.run_next(NOW) is None


def test_a_run_has_not_ended_when_its_end_cannot_be_passed_on(
    world: World, deployed: Engine
) -> None:
    def fail(_session: Session, _run: RetrainRun, _text: str) -> None:
        raise ConnectionError("the other room is away")

    queued = queue(deployed, settings())
    worker = RetrainWorker(place=place(world, deployed, announce=fail), models={})
    with pytest.raises(ConnectionError):
        worker.run_next(NOW)

    with read(deployed) as session:
        assert RetrainRuns(session).get(queued.id).state is RunState.RUNNING


WORKER = """
import sys
from datetime import datetime
from pathlib import Path

sys.path[:0] = {paths!r}
import {module} as tests
from watchkeeper.database import make_engine

world = tests.World(home=Path({home!r}), champion={champion!r})
engine = make_engine({url!r})

def slow(model, step):
    print(step, flush=True)

tests.run(world, engine, tests.settings(), lease=1.0, progress=slow)
"""


@pytest.mark.crash
def test_a_run_killed_before_its_end_is_taken_up_again_and_promotes_once(
    world: World, deployed: Engine, database_url: str, tmp_path: Path
) -> None:
    queue(deployed, settings(), automatic=True)
    kill_worker(world, database_url, tmp_path, at="judging it on")

    promotes_once(world, deployed)


@pytest.mark.crash
def test_a_run_killed_while_its_code_runs_is_taken_up_again_and_promotes_once(
    world: World, deployed_sqlite: Engine, sqlite_url: str, tmp_path: Path
) -> None:
    queue(deployed_sqlite, settings(), automatic=True)
    kill_worker(world, sqlite_url, tmp_path, at="training the challenger")

    promotes_once(world, deployed_sqlite)


def kill_worker(world: World, url: str, folder: Path, *, at: str) -> None:
    script = folder / "worker.py"
    script.write_text(
        WORKER.format(
            paths=[str(Path(__file__).parent)],
            module=Path(__file__).stem,
            home=str(world.home),
            champion=world.champion,
            url=url,
        )
    )
    worker = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    with worker.stdout:
        for line in worker.stdout:
            if line.startswith(at):
                break
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def promotes_once(world: World, engine: Engine) -> None:
    outcome = wait_for(lambda: run(world, engine, settings()))
    assert outcome.promoted, outcome.text
    assert outcome.run.attempts == 2
    with read(engine) as session:
        assert [line.version for line in Deployments(session).history("flights")] == [1, 2]
        assert len(ModelVersions(session).of("flights")) == 2
    assert run(world, engine, settings()) is None


def wait_for(attempt: Callable[[], RetrainOutcome | None]) -> RetrainOutcome:
    deadline = time.monotonic() + 20
    while (found := attempt()) is None:
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.1)
    return found


def test_a_run_that_keeps_killing_its_worker_is_given_up(world: World, deployed: Engine) -> None:
    queue(deployed, settings(), automatic=True)
    for _ in range(3):
        with write(deployed) as session:
            assert RetrainClaims(session).claim("dead", -1, NOW) is not None
    outcome = run(world, deployed, settings())

    assert outcome is not None
    assert outcome.text == (
        "Retraining run 2 failed: its worker stopped answering 3 times; given up"
    )


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
