"""Times the tick after one more day on a year of log, against the same tick on that day alone.

Both ship the same day to a lake, profile what changed and evaluate what is pending; one lake and
database hold a year of days before it. Every row is scanned once, so the year must not matter.
Run it with `make bench ARGS=tick`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from monitor.profiles.marks import DirtyTiles
from monitor.reference import fit_reference
from monitor.reference_store import References
from monitor.run import Monitor
from watchkeeper.database import make_engine, write
from watchkeeper.lake import Lake
from watchkeeper.migrations import upgrade
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

START = datetime(2025, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
COLUMNS = [f"number_{k:02}" for k in range(20)]
SCHEMA = FeatureSchema(
    columns=tuple(Column(name=name, kind=ColumnKind.NUMERICAL) for name in COLUMNS),
    target="truth",
    task=Task.BINARY,
    classes=("0", "1"),
)
SETTINGS = ModelSettings.model_validate(
    {
        "model": "model",
        "task": "binary",
        "owner": {"name": "The bench"},
        "timestamp": "timestamp",
        "prediction": {"score": "score"},
        "label": {"column": "truth"},
        "windows": {"size": "1d"},
        "tolerance": {"metric": "log_loss", "rise": "20%"},
    }
)


def main() -> int:
    """Run both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365, help="days of log before the one more")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a day")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    alone = min(tick(0, options.rows) for _ in range(3))
    after = tick(options.days, options.rows)
    facts = {"days": options.days, "alone": alone, "after": after, "ratio": after / alone}
    if options.json is not None:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    print(
        f"{options.rows:,} rows a day x {len(COLUMNS)} columns\n"
        f"that day alone        {alone:6.2f} s\n"
        f"after {options.days:>4} more days  {after:6.2f} s\n"
        f"ratio                 {after / alone:6.2f}"
    )
    return 0


def tick(days: int, rows: int) -> float:
    """Return the seconds of CPU of the tick after the last of ``days + 1`` days."""
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as folder:
        engine = make_engine(f"sqlite:///{folder}/tick.db")
        upgrade(engine)
        lake = Lake(f"{folder}/lake")
        past = pd.concat([_rows(START - k * DAY, 1_000) for k in range(14, 0, -1)])
        reference = fit_reference(past[COLUMNS], **_arguments(past))
        with write(engine) as session:
            References(session).add("model", 1, reference, START)
        for number in range(days + 1):
            frame = _rows(START + number * DAY, rows)
            lake.append_predictions("model", 1, _shipped(frame), writer="w", sequence=number + 1)
            with write(engine) as session:
                hours = sorted({t.floor("h").to_pydatetime() for t in frame.timestamp})
                DirtyTiles(session).mark("model", hours, START)
            if number == days - 1:
                _tick(Monitor(engine, lake), engine, START + days * DAY)
        monitor = Monitor(engine, lake)
        started = time.process_time()
        _tick(monitor, engine, START + (days + 1) * DAY)
        seconds = time.process_time() - started
        engine.dispose()
    return seconds


def _tick(monitor: Monitor, engine: Any, now: datetime) -> None:
    monitor.profile(SETTINGS, now)
    for version, window in monitor.pending(SETTINGS, now):
        with write(engine) as session:
            monitor.evaluate(session, SETTINGS, version, window, now)


def _rows(start: datetime, rows: int) -> pd.DataFrame:
    generator = np.random.default_rng(int(start.timestamp()))
    seconds = np.arange(rows) * 86_400 // rows
    score = generator.beta(2, 5, rows)
    columns: dict[str, Any] = {
        "prediction_id": [f"{start:%j}-{k}" for k in range(rows)],
        "timestamp": pd.to_datetime(start) + pd.to_timedelta(seconds, unit="s"),
        "y_pred": (score >= 0.5).astype(np.int64),
        "y_pred_proba": score,
    }
    columns |= {name: generator.normal(size=rows) for name in COLUMNS}
    return pd.DataFrame(columns)


def _arguments(frame: pd.DataFrame) -> dict[str, Any]:
    truth = np.random.default_rng(1).random(len(frame)) < frame.y_pred_proba
    return {
        "schema": SCHEMA,
        "settings": SETTINGS,
        "timestamps": frame.timestamp,
        "y_pred": frame.y_pred,
        "y_pred_proba": frame.y_pred_proba,
        "y_true": truth.astype(int),
    }


def _shipped(frame: pd.DataFrame) -> pa.Table:
    rows = frame.assign(version=np.int32(1), predicted_at=frame.timestamp, served_by="bench")
    table = pa.Table.from_pandas(rows, preserve_index=False)
    for name in ("timestamp", "predicted_at"):
        column = table.column(name).cast(pa.timestamp("us", tz="UTC"))
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table


if __name__ == "__main__":
    sys.exit(main())
