"""A table in a database is compared with a file, fetched through Ibis."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine

from monitor.compare import compare
from monitor.model import CheckStatus
from watchkeeper.errors import TableError


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


@pytest.fixture
def duck(tmp_path: Path) -> Path:
    """Make a DuckDB file with one table, and the same rows as Parquet beside it."""
    rows = pd.DataFrame({"length": np.random.default_rng(0).normal(size=600)})
    rows.to_parquet(tmp_path / "rows.parquet")
    with duckdb.connect(tmp_path / "rows.duckdb") as database:
        database.execute(f"CREATE TABLE readings AS FROM '{tmp_path}/rows.parquet'")
    return tmp_path / "rows.duckdb"


@pytest.mark.parametrize("table", ["readings", "main.readings"])
def test_a_table_of_a_duckdb_file_is_compared_with_a_file(duck: Path, table: str) -> None:
    result = compare(str(duck.with_suffix(".parquet")), f"duckdb://{duck}#{table}")

    assert (result.n_reference, result.n_current) == (600, 600)
    assert [one.value for one in result.columns] == [0.0]


@pytest.mark.parametrize("scheme", ["duckdb", "sqlite"])
def test_a_database_file_that_is_not_there_is_not_made(duck: Path, scheme: str) -> None:
    gone = duck.with_name("gone.db")
    with pytest.raises(TableError, match=r"#readings: no such file"):
        compare(str(duck.with_suffix(".parquet")), f"{scheme}://{gone}#readings")

    assert not gone.exists()


def test_a_table_that_is_not_there_is_named(duck: Path) -> None:
    with pytest.raises(TableError, match="the database has no table 'reading'"):
        compare(str(duck.with_suffix(".parquet")), f"duckdb://{duck}#reading")
