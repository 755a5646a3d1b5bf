"""A model's story told through the real rooms: it decays, its feed breaks, it is retrained."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from litestar import Litestar
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from alerts.notes import open_incidents
from alerts.observe import observe
from monitor.evaluate import evaluate_window
from monitor.model import EvaluatedWindow, Family
from monitor.profiles.model import Profile
from monitor.profiles.repository import Profiles, StoredProfile
from monitor.reference import Reference, fit_reference, profile_frame
from monitor.reference_store import References
from monitor.repository import Measurements, worst_status
from monitor.window_store import Windows
from retrain.claims import RetrainClaims
from retrain.decide import consider, request_run
from retrain.model import RunState
from service.actions import Actions
from service.web.app import create_app
from service.web.context import Web
from service.web.tokens import token_authoriser
from watchkeeper.clock import SteppedClock
from watchkeeper.database import write
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.repository import Deployments, ModelVersions
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.window import Window

FIRST = datetime(2013, 6, 1, 4, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTILE = '<script>alert("x")</script> & 数据'
BROKEN, DECAYED, FOGGY, DAYS = range(6, 9), range(12, 17), range(18, 20), 20
_ROWS = 400
_REFERENCE_DAYS = 12

SETTINGS = ModelSettings.model_validate(
    {
        "model": "flights",
        "task": "binary",
        "owner": {"name": "Flight models on call", "slack": "U0EXAMPLE", "channel": "C0FLIGHTS"},
        "timestamp": "scheduled_at",
        "prediction": {"score": "y_pred_proba"},
        "label": {"column": "delayed", "delay": "1d"},
        "windows": {"size": "1d", "timezone": "America/New_York"},
        "tolerance": {"metric": "roc_auc", "drop": 0.05},
        "retrain": {"command": "train.py:train", "cost": 20, "minimum_labels": 500},
    }
)
SCHEMA = FeatureSchema(
    columns=(
        Column(name="wind_gust", kind=ColumnKind.NUMERICAL),
        Column(name="visib", kind=ColumnKind.NUMERICAL),
        Column(name="carrier", kind=ColumnKind.CATEGORICAL, categories=("AA", "B6", "UA")),
        Column(name=HOSTILE, kind=ColumnKind.NUMERICAL),
    ),
    target="delayed",
    task=Task.BINARY,
    classes=("0", "1"),
)


@dataclass(frozen=True, kw_only=True)
class History:
    """What the rooms make of the rows, before any of it is stored."""

    reference: Reference
    windows: tuple[tuple[EvaluatedWindow, dict[datetime, Profile]], ...]


@cache
def history() -> History:
    rng = np.random.default_rng(2013)
    known = _rows(rng, FIRST - _REFERENCE_DAYS * DAY, _REFERENCE_DAYS, versions=False)
    reference = fit_reference(known.pop("frame"), schema=SCHEMA, settings=SETTINGS, **known)
    live = _rows(rng, FIRST, DAYS, versions=True)
    frame = live.pop("frame")
    tiles = profile_frame(frame, reference, schema=SCHEMA, settings=SETTINGS, **live)
    windows = []
    for day in range(DAYS):
        window = Window(start=FIRST + day * DAY, end=FIRST + (day + 1) * DAY)
        inside = {start: tile for start, tile in tiles.items() if start in window}
        version = 1 if day < DECAYED.stop else 2
        found = evaluate_window(
            window,
            inside,
            reference,
            SETTINGS,
            version=version,
            now=window.end + (2 if day < DAYS - 1 else 0) * DAY,
            rows_before=[_ROWS] * day,
        )
        windows.append((found, inside))
    return History(reference=reference, windows=tuple(windows))


def _rows(
    rng: np.random.Generator, start: datetime, days: int, *, versions: bool
) -> dict[str, Any]:
    size = days * _ROWS
    day = np.repeat(np.arange(days), _ROWS)
    frame = pd.DataFrame(
        {
            "wind_gust": rng.gamma(2.0, 6.0, size),
            "visib": rng.choice([10.0, 8.0, 5.0, 1.0], size, p=[0.8, 0.1, 0.06, 0.04]),
            "carrier": rng.choice(["AA", "B6", "UA"], size, p=[0.4, 0.35, 0.25]),
            HOSTILE: rng.normal(size=size),
        }
    )
    score = rng.beta(2.0, 5.0, size)
    truth = rng.random(size) < score
    if versions:
        lost = np.isin(day, DECAYED) & (rng.random(size) < 0.8)
        truth = np.where(lost, rng.random(size) < 0.3, truth)
        frame.loc[np.isin(day, BROKEN), ["wind_gust", "visib"]] = np.nan
        frame.loc[np.isin(day, FOGGY), "visib"] = np.nan
    seconds = np.tile(np.linspace(0, 86_399, _ROWS), days) + day * 86_400
    return {
        "frame": frame,
        "timestamps": pd.Series(pd.Timestamp(start) + pd.to_timedelta(seconds, unit="s")),
        "y_pred": (score >= 0.5).astype("int64"),
        "y_pred_proba": score,
        "y_true": truth.astype("int64"),
    }


def put_in_place(engine: Engine, folder: Path) -> None:
    """Store the story as the rooms would have, day by day."""
    told = history()
    with write(engine) as session:
        for version in (1, 2):
            _register(session, version, told.reference)
    for evaluated, tiles in told.windows:
        with write(engine) as session:
            _store(session, evaluated, tiles)
            observe(session, evaluated, SETTINGS, now=evaluated.evaluated_at)
            broken = open_incidents(session, "flights", (Family.DATA_CONTRACT,))
            consider(
                session,
                evaluated,
                SETTINGS,
                now=evaluated.evaluated_at,
                input_incident_open=bool(broken),
            )
        if evaluated.window.start == FIRST + (DECAYED.stop - 1) * DAY:
            _retrain(engine, folder)


def deploy(engine: Engine, *, version: int, reason: str) -> None:
    """Put a version in force."""
    with write(engine) as session:
        Deployments(session).append(
            "flights", version, decided_by="ana", reason=reason, at=FIRST + DAYS * DAY
        )


def make_app(engine: Engine, *, refresh: int | None = None) -> Litestar:
    """Return the application over the story, three days after its end."""
    return create_app(make_web(engine, refresh=refresh), registry=CollectorRegistry())


def make_web(engine: Engine, *, refresh: int | None = None, local_viewer: bool = True) -> Web:
    """Return the parts of the service that the pages need."""
    clock, models = SteppedClock(FIRST + (DAYS + 3) * DAY), {"flights": SETTINGS}
    actions = Actions(engine=engine, clock=clock)
    return Web(
        engine=engine,
        clock=clock,
        models=lambda: models,
        authorise=token_authoriser(engine),
        local_viewer=local_viewer,
        acknowledge=actions.acknowledge,
        roll_back=actions.roll_back,
        refresh=refresh,
        version="0.1.0",
    )


def _register(session: Session, version: int, reference: Reference) -> None:
    at = FIRST + (-1 if version == 1 else DECAYED.stop) * DAY
    ModelVersions(session).add(
        name="flights",
        schema=SCHEMA,
        artifact_sha256=f"{version}" * 64,
        artifact_format="onnx",
        at=at,
        training_run_id=None if version == 1 else 1,
        metrics={"roc_auc": 0.724},
    )
    References(session).add("flights", version, reference, at)
    Deployments(session).append(
        "flights",
        version,
        decided_by="ana" if version == 1 else "watchkeeper",
        reason="First version." if version == 1 else "Log loss is lower by 0.020.",
        at=at,
    )


def _store(session: Session, evaluated: EvaluatedWindow, tiles: dict[datetime, Profile]) -> None:
    stored = [
        StoredProfile.of("flights", evaluated.version, start, tile) for start, tile in tiles.items()
    ]
    Profiles(session).replace("flights", list(tiles), stored, evaluated.evaluated_at)
    row = Windows(session).open("flights", evaluated.version, evaluated.window)
    row.rows, row.labels = evaluated.rows, evaluated.labels
    row.labels_mature = evaluated.labels_mature
    row.status = worst_status(evaluated.results)
    row.evaluated_at = evaluated.evaluated_at
    session.flush()
    Measurements(session).replace(evaluated, first=True)


def _retrain(engine: Engine, folder: Path) -> None:
    log = folder / "train.log"
    log.write_text("reading 6,800 rows\nfit 4 columns\n")
    now = FIRST + DECAYED.stop * DAY
    with write(engine) as session:
        request_run(session, SETTINGS, by="ana", key="once", now=now)
        runs = RetrainClaims(session)
        run = runs.claim("here", 60.0, now)
        assert run is not None
        runs.note(run, data={"rows": 6800}, log_path=str(log))
        runs.finish(
            run,
            RunState.SUCCEEDED,
            reason="Promoted: the challenger is better.",
            finished_at=now + timedelta(minutes=2),
            version=2,
            evaluation={
                "metric": "log_loss",
                "champion": 0.52,
                "challenger": 0.5,
                "difference": 0.02,
                "lower": 0.01,
                "upper": 0.03,
                "rows": 1600,
                "days": 5,
                "verdict": "promote",
                "reason": "The whole interval is above zero.",
            },
        )
