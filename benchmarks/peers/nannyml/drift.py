"""Runs NannyML's univariate drift calculator on two Parquet files, in its own environment only."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

# It reports its use over the network unless told not to; this is read when it is imported.
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import pandas as pd

CHUNKS = 10

reference, current, out = map(Path, sys.argv[1:4])
tables = [pd.read_parquet(path) for path in (reference, current)]
calculator = nannyml.UnivariateDriftCalculator(
    column_names=list(tables[0].columns),
    continuous_methods=["jensen_shannon"],
    categorical_methods=["jensen_shannon"],
    chunk_number=CHUNKS,
)
calculator.fit(tables[0])
result = calculator.calculate(tables[1]).filter(period="analysis").to_df(multilevel=True)
alerts = {name: int(result[name]["jensen_shannon"]["alert"].sum()) for name in tables[0].columns}
drifted = sum(count > CHUNKS / 2 for count in alerts.values())
out.write_text(json.dumps({"drifted": drifted, "alerts": alerts}))
