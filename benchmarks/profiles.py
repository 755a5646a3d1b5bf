"""Times the profile of a table against the limit: DuckDB's own histograms of the same columns.

Both are queries in one process over the same Parquet file, one after the other, several times.
The limit counts bins and nothing else; a profile also has nulls, moments, extremes, outcomes and
what the checks of data quality need. Run it with `make bench ARGS="profiles"`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.edges import fit_bins
from monitor.profiles.bins import ProfileBins
from monitor.profiles.connection import Source, connect
from monitor.profiles.query import profile_rows
from watchkeeper.schema import Column, ColumnKind, Task

NUMERICAL, CATEGORICAL, CATEGORIES = 16, 4, 20
REFERENCE_ROWS = 100_000
TILE = timedelta(hours=1)
TILES = 24
START = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Make the table, time both sides, print the ratio."""
    options = _options()
    table = make_table(options.rows)
    bins = make_bins(table.slice(0, REFERENCE_ROWS))
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as folder:
        path = Path(folder) / "rows.parquet"
        pq.write_table(table, path)
        with connect() as connection:
            file = connection.parquet([str(path)], table.schema)
            connection.view("rows", f"SELECT * FROM {file.sql}")
            rows = Source(sql="rows", columns=file.columns)
            ours = best(lambda: profile_rows(connection, rows, bins, TILE), options.repeat)
            query = histograms(bins, rows.sql)
            limit = best(lambda: connection.rows(query), options.repeat)
    facts = {"rows": options.rows, "profile": ours, "limit": limit, "ratio": ours / limit}
    if options.json is not None:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    print(
        f"{options.rows:,} rows x {NUMERICAL + CATEGORICAL} columns, {TILES} tiles, best of "
        f"{options.repeat}\n"
        f"profile of every tile  {ours:6.2f} s\n"
        f"DuckDB histogram()     {limit:6.2f} s\n"
        f"ratio                  {ours / limit:6.2f}"
    )
    return 0


def make_table(rows: int) -> pa.Table:
    """Return a day of predictions of a binary model, a third of them labelled."""
    generator = np.random.default_rng(2026)
    columns: dict[str, pa.Array] = {}
    for index in range(NUMERICAL):
        columns[f"number_{index:02}"] = pa.array(generator.normal(size=rows))
    names = pa.array([f"category {code:02}" for code in range(CATEGORIES)])
    for index in range(CATEGORICAL):
        columns[f"text_{index}"] = names.take(pa.array(generator.integers(CATEGORIES, size=rows)))
    seconds = np.sort(generator.integers(TILES * 3600, size=rows))
    epoch = int(START.timestamp())
    columns["timestamp"] = pa.array((epoch + seconds) * 1_000_000, pa.timestamp("us", tz="UTC"))
    score = generator.beta(2, 6, size=rows)
    truth = (generator.random(rows) < score).astype("int64")
    columns["y_pred"] = pa.array((score >= 0.5).astype("int64"))
    columns["y_pred_proba"] = pa.array(score)
    columns["y_true"] = pa.array(truth, mask=generator.random(rows) < 2 / 3)
    return pa.table(columns)


def make_bins(reference: pa.Table) -> ProfileBins:
    """Fit the edges, as they are fitted for a model version."""
    watched = [
        Column(name=name, kind=ColumnKind.NUMERICAL if name[0] == "n" else ColumnKind.CATEGORICAL)
        for name in reference.column_names
        if name.startswith(("number_", "text_"))
    ]
    watched.append(Column(name="y_pred_proba", kind=ColumnKind.NUMERICAL))
    return ProfileBins(columns=fit_bins(reference, watched), task=Task.BINARY, classes=())


def histograms(bins: ProfileBins, rows: str) -> str:
    """Return one query with DuckDB's histogram of each column on the same edges, per tile."""
    counted = []
    for name, column in bins.columns.items():
        if column.kind is ColumnKind.NUMERICAL:
            edges = ", ".join(map(repr, column.edges))
            counted.append(f'histogram("{name}", [{edges}]) AS "{name}"')
        else:
            counted.append(f'histogram("{name}") AS "{name}"')
    hour = "epoch_us(timestamp) // 3600000000"
    return f"SELECT {hour} AS tile, {', '.join(counted)} FROM {rows} GROUP BY 1"


def best(action: Callable[[], object], repeat: int) -> float:
    """Return the shortest time of several calls, in seconds."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each side")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
