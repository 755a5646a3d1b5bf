"""A model whose concept turns round: its training table, its log, and runs that retrain it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
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
from retrain.memory import PolicyMemory
from retrain.model import PolicyState, RetrainRun, RunState, Trigger
from retrain.repository import RetrainRuns
from retrain.run import RetrainWorker
from retrain.runner import Limits
from retrain.workplace import Workplace
from serving.artifact import save
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read, write
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.artifacts import Artifacts
from watchkeeper.registry.model import ModelVersion
from watchkeeper.registry.repository import Deployments, ModelVersions
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

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


def build_world(home: Path) -> World:
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
