"""Times `watchkeeper compare` on two tables as a whole process, against its peers in the same run.

Each side is a process of its own, from start to a written JSON file: imports, reading, computing.
Peak memory is that of the process (`ru_maxrss`). Run it with `make bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
NUMERICAL, CATEGORICAL, CATEGORIES = 16, 4, 20
#: Columns of either kind that differ between the two tables.
SHIFTED = 4
PEERS = {
    "evidently": "Evidently DataDriftPreset",
    "nannyml": "NannyML univariate, 10 chunks",
}
_KIB_PER_GIB = 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One process: what it was, wall time in seconds, peak memory in GiB, columns it flagged."""

    name: str
    seconds: float
    peak_gib: float
    drifted: int


def main() -> int:
    """Make the tables, run both sides, print the table."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as folder:
        reference, current = _tables(Path(folder), options.rows)
        runs = [run_watchkeeper(reference, current) for _ in range(options.repeat)]
        for name, python in options.peer:
            runs += [run_peer(name, python, reference, current) for _ in range(options.repeat)]
    best = _best(runs)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n")
    print(table(best, options.rows))
    return 0


def run_watchkeeper(reference: Path, current: Path) -> Run:
    """Run `watchkeeper compare`."""
    program = Path(sys.executable).with_name("watchkeeper")
    out = reference.with_name("watchkeeper.json")
    seconds, peak = _measure([program, "compare", reference, current, "--json", out])
    columns = json.loads(out.read_text())["columns"]
    drifted = sum(column["status"] in {"warning", "critical"} for column in columns)
    return Run(name="watchkeeper compare", seconds=seconds, peak_gib=peak, drifted=drifted)


def run_peer(name: str, python: Path, reference: Path, current: Path) -> Run:
    """Run a peer in its own environment."""
    out = reference.with_name(f"{name}.json")
    script = HERE / "peers" / name / "drift.py"
    seconds, peak = _measure([python, "-W", "ignore", script, reference, current, out])
    drifted = json.loads(out.read_text())["drifted"]
    return Run(name=PEERS[name], seconds=seconds, peak_gib=peak, drifted=drifted)


def table(runs: list[Run], rows: int) -> str:
    """Return the result as a table; ratios are to the first line."""
    first = runs[0]
    lines = [
        f"{rows:,} rows x {NUMERICAL + CATEGORICAL} columns, whole process, best run of each",
        "",
        f"{'':<32}{'seconds':>9}{'ratio':>8}{'peak GiB':>10}{'ratio':>8}{'drifted':>9}",
    ]
    lines += [
        f"{run.name:<32}{run.seconds:>9.2f}{run.seconds / first.seconds:>7.1f}x"
        f"{run.peak_gib:>10.2f}{run.peak_gib / first.peak_gib:>7.1f}x{run.drifted:>9}"
        for run in runs
    ]
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of each table")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each side")
    parser.add_argument(
        "--peer",
        type=_peer,
        action="append",
        default=[],
        help="NAME=PYTHON: a peer, and a Python that has it",
    )
    parser.add_argument("--json", type=Path, help="write every run to this file")
    return parser.parse_args()


def _peer(text: str) -> tuple[str, Path]:
    name, _, python = text.partition("=")
    if name not in PEERS or not python:
        raise argparse.ArgumentTypeError(f"expected one of {sorted(PEERS)}, =, and a path: {text}")
    return name, Path(python)


def _tables(folder: Path, rows: int) -> tuple[Path, Path]:
    generator = np.random.default_rng(2013)
    paths = folder / "reference.parquet", folder / "current.parquet"
    for path, shift in zip(paths, (0.0, 0.5), strict=True):
        columns: dict[str, pa.Array] = {}
        for index in range(NUMERICAL):
            moved = shift if index < SHIFTED else 0.0
            columns[f"number_{index:02}"] = pa.array(generator.normal(moved, 1.0, rows))
        for index in range(CATEGORICAL):
            weights = np.linspace(1, 2 + shift * (index == 0) * 5, CATEGORIES)
            codes = generator.choice(CATEGORIES, rows, p=weights / weights.sum())
            names = pa.array([f"category {code:02}" for code in range(CATEGORIES)])
            columns[f"text_{index}"] = names.take(pa.array(codes))
        pq.write_table(pa.table(columns), path)
    return paths


def _measure(command: list[str | Path]) -> tuple[float, float]:
    """Run a command; return its wall time and its peak memory."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with exit code {process.returncode}")
    return seconds, usage.ru_maxrss / _KIB_PER_GIB


def _best(runs: list[Run]) -> list[Run]:
    best: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: run.seconds):
        best.setdefault(run.name, run)
    return sorted(best.values(), key=lambda run: run.name != "watchkeeper compare")


if __name__ == "__main__":
    sys.exit(main())
