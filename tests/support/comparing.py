"""Tables to compare, and short ways to what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.compare import compare
from monitor.comparison.model import ColumnComparison, Comparison
from monitor.model import CheckStatus

ROWS = 4_000


def frame(seed: int, rows: int = ROWS) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "price": np.round(draw.lognormal(3, 0.6, rows), 2),
            "temperature": np.round(draw.normal(12, 7, rows), 1),
            "length": draw.normal(170, 8, rows),
            "weight": draw.normal(70, 5, rows),
            "rain": np.where(draw.random(rows) < 0.7, 0.0, draw.exponential(size=rows)),
            "gust": np.where(draw.random(rows) < 0.76, np.nan, draw.normal(20, 4, rows)),
            "grade": draw.integers(1, 5, rows),
            "carrier": draw.choice(["UA", "DL", "B6", "WN"], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "late": draw.random(rows) < 0.2,
            "constant": np.ones(rows),
        }
    )


def run(folder: Path, reference: Any, current: Any, **options: Any) -> Comparison:
    names = []
    for name, table in (("reference", reference), ("current", current)):
        names.append(str(folder / f"{name}.parquet"))
        if isinstance(table, pa.Table):
            pq.write_table(table, names[-1])
        else:
            table.to_parquet(names[-1])
    return compare(names[0], names[1], **options)


def checks(result: Comparison) -> set[tuple[str | None, str]]:
    return {(finding.column, finding.check) for finding in result.quality}


def column(result: Comparison, name: str) -> ColumnComparison:
    return next(one for one in result.columns if one.name == name)


def detail(result: Comparison, name: str | None, check: str) -> str:
    return next(one.detail for one in result.quality if (one.column, one.check) == (name, check))


def changed(result: Comparison) -> set[str]:
    bad = (CheckStatus.WARNING, CheckStatus.CRITICAL)
    return {one.name for one in result.columns if one.status in bad}
