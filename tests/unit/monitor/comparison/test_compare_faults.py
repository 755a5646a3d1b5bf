"""Comparing two tables: feeds that stood still, hours that are missing, values that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from monitor.compare import compare


def weather(start: str, days: int, *, seed: int, warmer: float = 0.0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    hours = pd.date_range(start, periods=days * 24 * 4, freq="15min")
    return pd.DataFrame(
        {
            "at": hours,
            "temperature": np.round(draw.normal(12 + warmer, 5, len(hours)), 1),
            "pressure": draw.normal(1013, 8, len(hours)),
            "rain": np.where(draw.random(len(hours)) < 0.7, 0.0, draw.exponential(1, len(hours))),
        }
    )


def found(folder: Path, reference: pd.DataFrame, current: pd.DataFrame) -> dict[str, str]:
    for name, table in (("reference", reference), ("current", current)):
        table.to_parquet(folder / f"{name}.parquet", index=False)
    result = compare(str(folder / "reference.parquet"), str(folder / "current.parquet"))
    return {f"{each.check} {each.column}": each.detail for each in result.quality}


def test_another_month_has_no_finding(tmp_path: Path) -> None:
    before, now = weather("2024-01-01", 30, seed=0), weather("2024-01-31", 10, seed=1)
    assert found(tmp_path, before, now) == {}


def test_a_season_that_is_a_little_warmer_is_not_out_of_range(tmp_path: Path) -> None:
    before = weather("2024-01-01", 30, seed=0)
    now = weather("2024-01-31", 10, seed=1, warmer=4)
    assert found(tmp_path, before, now) == {}


def test_few_impossible_values_are_out_of_range(tmp_path: Path) -> None:
    before, now = weather("2024-01-01", 30, seed=0), weather("2024-01-31", 10, seed=1)
    now.loc[5, "pressure"] = 5503.0
    assert set(found(tmp_path, before, now)) == {"out_of_range pressure"}


def test_a_feed_that_stood_still_for_a_while_is_stale(tmp_path: Path) -> None:
    before, now = weather("2024-01-01", 30, seed=0), weather("2024-01-31", 10, seed=1)
    now.loc[100:299, "temperature"] = float(now["temperature"].iloc[100])
    details = found(tmp_path, before, now)
    assert set(details) == {"stale temperature"}
    assert details["stale temperature"].startswith("one value in 2")


def test_a_default_that_fills_gaps_here_and_there_is_no_standstill(tmp_path: Path) -> None:
    before, now = weather("2024-01-01", 30, seed=0), weather("2024-01-31", 10, seed=1)
    now.loc[::5, "temperature"] = 12.0
    assert "stale temperature" not in found(tmp_path, before, now)


def test_evenings_that_are_cut_off_are_missing(tmp_path: Path) -> None:
    before, now = weather("2024-01-01", 30, seed=0), weather("2024-01-31", 10, seed=1)
    details = found(tmp_path, before, now[now["at"].dt.hour < 20])
    assert "20:00, 21:00, 22:00, 23:00" in details["missing_partition at"]
    assert "17%" in details["missing_partition at"]
