"""A house with real models, a real spool and a real lake, and the server in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import httpx
import numpy as np
import pandas as pd
import pytest
from prometheus_client import CollectorRegistry
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sqlalchemy import Engine

from service.server import Server
from serving.artifact import save
from serving.frame import to_frame
from serving.http import Access, Limits, ServingApp
from serving.metrics import ServingMetrics
from serving.predictor import Predictor
from serving.ship import ship
from serving.spool import Spool
from watchkeeper.clock import SteppedClock
from watchkeeper.database import write
from watchkeeper.lake import Lake
from watchkeeper.registry.artifacts import Artifacts
from watchkeeper.registry.model import ModelVersion
from watchkeeper.registry.repository import Deployments, ModelVersions
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

SCHEMA = FeatureSchema(
    columns=(
        Column(name="distance", kind=ColumnKind.NUMERICAL, nullable=True),
        Column(name="hour", kind=ColumnKind.NUMERICAL, nullable=False),
        Column(
            name="carrier", kind=ColumnKind.CATEGORICAL, nullable=False, categories=("AA", "UA")
        ),
    ),
    target="late",
    task=Task.BINARY,
    classes=("0", "1"),
)
FEATURES: dict[str, Any] = {"distance": 700.0, "hour": 20, "carrier": "UA"}


@dataclass(kw_only=True)
class House:
    """Everything that a server needs, below one folder."""

    home: Path
    engine: Engine
    clock: SteppedClock
    artifacts: Artifacts = field(init=False)
    lake: Lake = field(init=False)
    spool: Spool = field(init=False)

    def __post_init__(self) -> None:
        self.artifacts = Artifacts(self.home / "artifacts")
        self.lake = Lake(str(self.home / "lake"))
        self.spool = Spool(self.home / "spool", max_rows=10**6, max_bytes=10**9)

    def register(self, *, model: str = "flights", fast: bool = True, seed: int = 0) -> ModelVersion:
        """Train a model, store it and register it."""
        frame, late = training_rows(seed)
        folder = self.home / "trained" / f"{model}-{fast}-{seed}"
        artifact_format = save(estimator(fast=fast).fit(frame, late), SCHEMA, frame, folder)
        assert artifact_format == ("onnx" if fast else "skops")
        with write(self.engine) as session:
            return ModelVersions(session).add(
                name=model,
                schema=SCHEMA,
                artifact_sha256=self.artifacts.put(folder),
                artifact_format=artifact_format,
                at=self.clock.now(),
            )

    def deploy(self, version: ModelVersion) -> None:
        """Put a version in force."""
        with write(self.engine) as session:
            Deployments(session).append(
                version.name, version.version, decided_by="test", reason="…", at=self.clock.now()
            )

    def predictor(self, **more: Any) -> Predictor:
        """Return a predictor that follows the ledger as it is now."""
        predictor = Predictor(self.engine, self.artifacts, self.spool, self.clock, **more)
        predictor.refresh()
        return predictor

    def ship(self) -> None:
        """Bring the spool to the lake; it must leave nothing behind."""
        done = ship(self.spool, self.lake, self.engine, now=self.clock.now())
        assert (done.problems, done.buried, self.spool.depth().rows) == ([], 0, 0)

    def logged(self, model: str = "flights") -> list[dict[str, Any]]:
        """Return the predictions in the lake."""
        files = [file for table in self.lake.predictions(model) for file in table.files()]
        if not files:
            return []
        found = duckdb.read_parquet(files, hive_partitioning=True).to_arrow_table()
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows


def training_rows(seed: int) -> tuple[pd.DataFrame, Any]:
    """Return 300 rows and whether they were late."""
    rng = np.random.default_rng(seed)
    distance = rng.normal(700, 200, 300)
    distance[::7] = np.nan
    raw = {"distance": distance, "hour": rng.integers(0, 24, 300)}
    frame = to_frame(SCHEMA, raw | {"carrier": rng.choice(["AA", "UA"], 300)})
    return frame, (frame["hour"] + rng.normal(0, 4, 300) > 14).astype(int)


def estimator(*, fast: bool) -> Any:
    """Return an estimator that becomes an ONNX graph, or one that cannot."""
    if not fast:
        return HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    encoded = make_column_transformer(
        (SimpleImputer(), ["distance", "hour"]),
        (OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
    )
    return make_pipeline(encoded, LogisticRegression(max_iter=1000))


@pytest.fixture
def house(tmp_path: Path, sqlite_engine: Engine, clock: SteppedClock) -> Iterator[House]:
    """Return an empty house."""
    house = House(home=tmp_path, engine=sqlite_engine, clock=clock)
    yield house
    house.spool.close()


@dataclass(kw_only=True)
class Running:
    """A running server and a client to it."""

    http: httpx.Client
    url: str
    predictor: Predictor
    registry: CollectorRegistry
    app: ServingApp
    stop: Callable[[], None]

    def predict(self, *features: Any, model: str = "flights", **more: Any) -> httpx.Response:
        """Post records to the champion."""
        records = [{"features": f, **more} for f in features]
        return self.http.post(f"/v1/models/{model}/predict", json={"records": records})


Serve = Callable[..., Running]


@pytest.fixture
def serve(house: House) -> Iterator[Serve]:
    """Start a real server on a free port."""
    running: list[Running] = []

    def start(
        *,
        token: str | None = None,
        limits: Limits | None = None,
        on_shutdown: Callable[[], None] | None = None,
        **more: Any,
    ) -> Running:
        registry = CollectorRegistry()
        predictor = house.predictor(**more)
        app = ServingApp(
            predictor,
            ServingMetrics(registry, house.spool.depth),
            authorise=lambda given: Access.ALLOWED if token in {None, given} else Access.UNKNOWN,
            limits=limits,
            on_shutdown=on_shutdown,
        )
        server = Server(app, host="127.0.0.1", port=0)
        server.start()
        running.append(
            Running(
                http=httpx.Client(base_url=server.url, timeout=30),
                url=server.url,
                predictor=predictor,
                registry=registry,
                app=app,
                stop=lambda: server.stop(10),
            )
        )
        return running[-1]

    yield start
    for one in running:
        one.http.close()
        one.stop()
