"""A model of flights that is fed rows and labels as the server would, and ticked by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import Engine

from monitor.model import EvaluatedWindow
from monitor.profiles.marks import DirtyTiles
from monitor.profiles.model import Profile
from monitor.profiles.repository import Profiles
from monitor.reference import fit_reference
from monitor.reference_store import References
from monitor.run import Monitor
from watchkeeper.database import read, write
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.window import Window

START = datetime(2013, 6, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ROWS_A_DAY = 240
SCHEMA = FeatureSchema(
    columns=(
        Column(name="distance", kind=ColumnKind.NUMERICAL),
        Column(name="wind", kind=ColumnKind.NUMERICAL),
        Column(name="gust", kind=ColumnKind.NUMERICAL),
        Column(name="carrier", kind=ColumnKind.CATEGORICAL, categories=("AA", "B6", "UA")),
    ),
    target="late",
    task=Task.BINARY,
    classes=("0", "1"),
)


def settings_of(**windows: str) -> ModelSettings:
    return ModelSettings.model_validate(
        {
            "model": "flights",
            "task": "binary",
            "owner": {"name": "Flight models on call"},
            "timestamp": "scheduled_at",
            "prediction": {"score": "y_pred_proba"},
            "label": {"column": "late", "delay": "1d"},
            "windows": {"size": "1d", **windows},
            "tolerance": {"metric": "log_loss", "rise": "20%"},
        }
    )


SETTINGS = settings_of()


def flights(start: datetime, days: int, seed: int, *, harm: float = 0.0) -> pd.DataFrame:
    """Rows whose labels follow the score, or its opposite for a share ``harm`` of them."""
    rng = np.random.default_rng(seed)
    n = days * ROWS_A_DAY
    score = rng.beta(2, 5, n)
    truth = rng.random(n) < np.where(rng.random(n) < harm, 1 - score, score)
    times = pd.to_datetime(start) + pd.to_timedelta(
        np.sort(rng.integers(0, days * 86_400_000_000, n)), unit="us"
    )
    return pd.DataFrame(
        {
            "prediction_id": [f"{seed}-{k}" for k in range(n)],
            "timestamp": times,
            "distance": rng.normal(1000, 300, n),
            "wind": rng.exponential(8, n),
            "gust": np.where(rng.random(n) < 0.7, np.nan, rng.exponential(20, n)),
            "carrier": rng.choice(np.array(["AA", "B6", "UA"], dtype=object), n),
            "y_pred": (score >= 0.5).astype(np.int64),
            "y_pred_proba": score,
            "y_true": truth.astype(np.int64),
            "delay": rng.integers(1, 20 * 3600, n),
        }
    )


class Feed:
    """Ships rows and labels as the server would."""

    def __init__(self, engine: Engine, root: Path, model: str = "flights") -> None:
        self.engine = engine
        self.model = model
        self.lake = Lake(str(root / "lake"))
        self.monitor = Monitor(engine, self.lake)
        self.sequence = 0

    @classmethod
    def with_reference(cls, engine: Engine, root: Path) -> Self:
        """A feed whose first version has a reference of twelve days."""
        frame = flights(START - 12 * DAY, 12, 0)
        reference = fit_reference(
            frame,
            schema=SCHEMA,
            settings=SETTINGS,
            timestamps=frame.timestamp,
            y_pred=frame.y_pred,
            y_pred_proba=frame.y_pred_proba,
            y_true=frame.y_true,
        )
        with write(engine) as session:
            References(session).add("flights", 1, reference, START)
        return cls(engine, root)

    def new_monitor(self) -> Monitor:
        """Another process' monitor."""
        return Monitor(self.engine, self.lake)

    def ship(self, frame: pd.DataFrame, at: datetime, version: int = 1) -> None:
        if frame.empty:
            return
        self.sequence += 1
        rows = frame.assign(version=np.int32(version), predicted_at=frame.timestamp, served_by="c")
        rows = rows.drop(columns=["y_true", "delay"])
        table = pa.Table.from_pandas(rows, preserve_index=False)
        for name in ("timestamp", "predicted_at"):
            column = table.column(name).cast(pa.timestamp("us", tz="UTC"))
            table = table.set_column(table.schema.get_field_index(name), name, column)
        self.lake.append_predictions(self.model, 1, table, writer="w", sequence=self.sequence)
        with write(self.engine) as session:
            DirtyTiles(session).mark(self.model, [t.to_pydatetime() for t in frame.timestamp], at)

    def label(self, frame: pd.DataFrame, at: datetime, labelled_at: datetime | None = None) -> None:
        if frame.empty:
            return
        self.sequence += 1
        when = pa.array([labelled_at or at] * len(frame), pa.timestamp("us", tz="UTC"))
        table = pa.table(
            {
                "prediction_id": frame.prediction_id.tolist(),
                "y_true": frame.y_true.tolist(),
                "labelled_at": when,
                "received_at": when,
            }
        )
        self.lake.append_labels(self.model, table, writer="w", sequence=self.sequence)
        with write(self.engine) as session:
            DirtyTiles(session).mark_labels(
                self.model,
                writer="w",
                sequence=self.sequence,
                days=[(labelled_at or at).date()],
                at=at,
            )

    def tick(self, now: datetime, settings: ModelSettings = SETTINGS) -> list[EvaluatedWindow]:
        self.monitor.profile(settings, now)
        found = []
        for version, window in self.monitor.pending(settings, now):
            with write(self.engine) as session:
                found.append(self.monitor.evaluate(session, settings, version, window, now))
        return found

    def stored(self, window: Window, version: int = 1) -> Profile:
        with read(self.engine) as session:
            layout = References(session).get(self.model, version).bins.layout
            tiles = Profiles(session).between(self.model, version, window.start, window.end)
        return Profile.merge((Profile.from_bytes(t.data, layout) for t in tiles), layout)
