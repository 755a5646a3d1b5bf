"""Evidently's own page about two tables: in a process of its own, from samples, only when asked."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from monitor.sql import identifier, literal, select
from monitor.tables import Tables
from watchkeeper.errors import ConfigurationError, TableError

#: Rows of each table; Evidently holds them in memory and takes minutes for a million.
SAMPLE_ROWS = 20_000
_TIMEOUT_SECONDS = 900

# Evidently refuses a table for a single column without a value.
_PROGRAM = """
import sys, warnings
warnings.simplefilter("ignore")
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset, DataSummaryPreset
reference, current = (pd.read_parquet(name) for name in sys.argv[1:3])
held = [set(table.columns[table.notna().any()]) for table in (reference, current)]
filled = [name for name in reference if name in held[0] & held[1]]
report = Report([DataDriftPreset(), DataSummaryPreset()])
report.run(current[filled], reference[filled]).save_html(sys.argv[3])
"""


def write_evidently_page(
    reference: str, current: str, target: Path, *, columns: Sequence[str] | None, seed: int
) -> None:
    """Write Evidently's drift report on samples of both tables.

    Raises
    ------
    ConfigurationError
        Evidently is not installed.
    TableError
        A table cannot be read, or Evidently fails on it.
    """
    if importlib.util.find_spec("evidently") is None:
        raise ConfigurationError(
            "Evidently is not installed; install watchkeeper with its extra: watchkeeper[evidently]"
        )
    with tempfile.TemporaryDirectory(prefix="watchkeeper-") as folder, Tables() as tables:
        opened = [tables.open(name) for name in (reference, current)]
        shared = [name for name in opened[0].types if name in opened[1].types]
        kept = [name for name in shared if columns is None or name in columns]
        samples = []
        for i, table in enumerate(opened):
            sample = str(Path(folder) / f"sample-{i}.parquet")
            clause = f"USING SAMPLE reservoir({SAMPLE_ROWS} ROWS) REPEATABLE ({seed % 2**31})"
            query = select(map(identifier, kept), table.source, clause)
            tables.rows(table.name, f"COPY ({query}) TO {literal(sample)} (FORMAT parquet)")
            samples.append(sample)
        _run([sys.executable, "-P", "-c", _PROGRAM, *samples, str(target)], name=current)


def _run(command: Sequence[str], *, name: str) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as exc:
        problem = f"Evidently took longer than {_TIMEOUT_SECONDS} seconds"
        raise TableError(problem, table=name) from exc
    if done.returncode != 0:
        line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TableError(f"Evidently failed: {line}", table=name)
