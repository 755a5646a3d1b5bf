"""Runs Evidently's DataDriftPreset on two Parquet files; executed in benchmarks/.venv only."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

reference, current, out = map(Path, sys.argv[1:4])
snapshot = Report([DataDriftPreset()]).run(pd.read_parquet(current), pd.read_parquet(reference))
metrics = json.loads(snapshot.json())["metrics"]
drifted = next(m["value"]["count"] for m in metrics if "DriftedColumnsCount" in m["metric_name"])
out.write_text(json.dumps({"drifted": int(drifted), "metrics": metrics}))
