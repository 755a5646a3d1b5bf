"""A table in a database is compared with a file, fetched through Ibis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from monitor.compare import compare
from monitor.model import CheckStatus


def test_a_database_table_is_compared_with_a_file(engine: Engine, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "length": draw.normal(size=600),
            "carrier": draw.choice(["UA", "DL"], 600),
            "whole": draw.integers(0, 9, 600),
        }
    )
    rows.loc[::3, "length"] = None
    rows[:300].to_parquet(tmp_path / "reference.parquet")
    rows[300:].to_sql("readings", engine, index=False)
    url = engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    result = compare(f"{tmp_path}/reference.parquet", f"{url}#readings")
    assert (result.n_current, result.quality) == (300, ())
    assert all(one.null_share_current in (0.0, 1 / 3) for one in result.columns)
    assert CheckStatus.CRITICAL not in {one.status for one in result.columns}
    assert "@" not in result.current
