"""A small synthetic model whose reference and windows are made in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from monitor.evaluate import evaluate_window
from monitor.model import EvaluatedWindow
from monitor.reference import Reference, fit_reference, profile_frame
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.window import Window

START = datetime(2013, 6, 1, tzinfo=UTC)
SCHEMA = FeatureSchema(
    columns=(
        Column(name="distance", kind=ColumnKind.NUMERICAL),
        Column(name="wind", kind=ColumnKind.NUMERICAL),
        Column(name="rain", kind=ColumnKind.NUMERICAL),
        Column(name="gust", kind=ColumnKind.NUMERICAL),
        Column(name="carrier", kind=ColumnKind.CATEGORICAL),
    ),
    target="late",
    task=Task.BINARY,
    classes=("0", "1"),
)
SETTINGS = ModelSettings.model_validate(
    {
        "model": "flights",
        "task": "binary",
        "owner": {"name": "Flight models on call"},
        "timestamp": "scheduled_at",
        "prediction": {"score": "y_pred_proba"},
        "label": {"column": "late", "delay": "1d"},
        "windows": {"size": "1d"},
        "tolerance": {"metric": "log_loss", "rise": "20%"},
    }
)
Evaluate = Callable[..., EvaluatedWindow]


def flights(start: datetime, days: int, *, seed: int, rows: int = 400) -> pd.DataFrame:
    """Rows of independent hours, but with a wind that is the day's own; gust is 70 % null."""
    rng = np.random.default_rng(seed)
    n = days * rows
    day = np.repeat(np.arange(days), rows)
    score = rng.beta(2, 5, n)
    return pd.DataFrame(
        {
            "timestamp": pd.to_datetime(start)
            + pd.to_timedelta(day * 86400 + rng.integers(0, 86400, n), unit="s"),
            "distance": rng.normal(1000, 300, n),
            "wind": rng.normal(15, 4, days)[day] + rng.normal(0, 2, n),
            "rain": np.where(rng.random(n) < 0.8, 0.0, rng.exponential(1, n)),
            "gust": np.where(rng.random(n) < 0.7, np.nan, rng.exponential(20, n)),
            "carrier": rng.choice(np.array(["AA", "B6", "UA"], dtype=object), n),
            "y_pred_proba": score,
            "y_true": (rng.random(n) < score).astype(float),
        }
    ).sort_values("timestamp", ignore_index=True)


def arguments(frame: pd.DataFrame) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "settings": SETTINGS,
        "timestamps": frame.timestamp,
        "y_pred": (frame.y_pred_proba >= 0.5).astype(int),
        "y_pred_proba": frame.y_pred_proba,
        "y_true": frame.y_true,
    }


@pytest.fixture(scope="session")
def reference() -> Reference:
    frame = flights(START - timedelta(days=30), 30, seed=0)
    return fit_reference(frame, **arguments(frame))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def evaluate(reference: Reference) -> Evaluate:
    """Evaluate a day of rows, two days after it by default."""

    def evaluated(
        frame: pd.DataFrame, *, now: datetime | None = None, rows_before: tuple[int, ...] = ()
    ) -> EvaluatedWindow:
        tiles = profile_frame(frame, reference, **arguments(frame))  # type: ignore[arg-type]
        window = Window(start=START, end=START + timedelta(days=1))
        return evaluate_window(
            window,
            tiles,
            reference,
            SETTINGS,
            version=1,
            now=now or START + timedelta(days=2),
            rows_before=rows_before,
        )

    return evaluated
