"""A log of real flights is replayed by the command: what it says, refuses, and leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from service.cli.run import run

FLIGHTS = Path(__file__).parents[2] / "service/demo/data/flights_live.parquet"
FEATURES = ["carrier", "origin", "distance_miles", "scheduled_minute", "visibility_miles"]
MINIMUM = """\
model: flights
task: binary
owner: {name: Flight models on call}
timestamp: timestamp
prediction: {score: y_pred_proba}
label: {column: late, delay: 6h}
windows: {size: 1d}
tolerance: {metric: roc_auc, drop: 0.1}
"""


def scored(*, days: int, broken_from: int | None = None) -> pd.DataFrame:
    """Cut flights of June, with scores that know their labels in part until they are broken."""
    frame: pd.DataFrame = pd.read_parquet(FLIGHTS, columns=["timestamp", *FEATURES, "late"])
    frame = (
        frame[frame.timestamp < frame.timestamp.min() + pd.Timedelta(days=days)].iloc[::4].copy()
    )
    rng = np.random.default_rng(3)
    signal_ = np.where(frame.late == 1, 1.1, 0.0) + rng.normal(0, 1, len(frame))
    if broken_from is not None:
        late = frame.timestamp >= frame.timestamp.min() + pd.Timedelta(days=broken_from)
        signal_ = np.where(late, rng.normal(0, 1, len(frame)), signal_)
    frame["y_pred_proba"] = 1 / (1 + np.exp(1.5 - signal_))
    return frame


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the configuration outside of any project, and two logs."""
    folder = tmp_path_factory.mktemp("backtest")
    (folder / "flights.yaml").write_text(MINIMUM)
    scored(days=20, broken_from=15).to_parquet(folder / "broken.parquet", index=False)
    scored(days=8).to_parquet(folder / "quiet.parquet", index=False)
    return folder


def back_tested(place: Path, log: str, *more: str) -> tuple[int, dict[str, Any]]:
    target = place / "result.json"
    target.unlink(missing_ok=True)
    config, data = str(place / "flights.yaml"), str(place / log)
    code = run(["backtest", config, "--data", data, "--json", str(target), *more])
    return code, json.loads(target.read_text())


def test_harm_is_told_within_two_windows_and_the_result_is_the_same_twice(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = leftovers()
    page = place / "page.html"
    code, result = back_tested(place, "broken.parquet", "--html", str(page), "--fail-on", "page")
    told = [
        incident
        for incident in result["incidents"]
        if incident["family"] == "performance" and incident["severity"] in {"ticket", "page"}
    ]

    assert {"model", "windows", "incidents", "budget"} <= result.keys()
    assert {"pages_allowed", "pages_sent"} <= result["budget"].keys()
    first = result["windows"][0]
    assert {"start", "end", "rows", "labels", "status", "measurements", "quality"} <= first.keys()
    assert set(first["measurements"]["roc_auc"]) == {"value", "lower", "upper"}
    # The first fifth is the reference, and is not judged.
    assert first["start"].startswith("2013-06-0")
    assert first["start"] == result["reference"]["end"]
    bad = [window["performance"] == "critical" for window in result["windows"]]
    second = next(k for k in range(1, len(bad)) if bad[k - 1] and bad[k])
    assert result["windows"][second - 1]["start"] >= "2013-06-16"
    mature = pd.Timestamp(result["windows"][second]["end"]) + pd.Timedelta(hours=6)
    assert len(told) == 1
    opened = pd.Timestamp(told[0]["opened_at"])
    assert pd.Timestamp("2013-06-16", tz="UTC") < opened <= mature
    assert code == (2 if any(incident["severity"] == "page" for incident in told) else 0)
    assert "allowed in" in capfd.readouterr().out
    html = page.read_text()
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "what the rule would have done" in html

    # Sums are taken in no fixed order: their last digits may differ.
    assert rounded(back_tested(place, "broken.parquet")[1]) == rounded(result)
    assert leftovers() == before


def test_a_quiet_log_pages_nobody_and_the_budget_is_in_proportion(place: Path) -> None:
    code, result = back_tested(place, "quiet.parquet", "--fail-on", "page")
    assert code == 0
    assert result["budget"]["pages_sent"] == 0
    days = len(result["windows"])
    assert result["budget"]["pages_allowed"] == pytest.approx(days / 91.3125, abs=0.01)


def test_a_reference_of_its_own_lets_every_whole_window_be_judged(place: Path) -> None:
    reference = place / "reference.parquet"
    scored(days=6).to_parquet(reference, index=False)
    _, result = back_tested(place, "quiet.parquet", "--reference", str(reference))
    assert len(result["windows"]) == 8
    assert result["reference"]["table"] == str(reference)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "missing.parquet"], "missing.parquet: no such file"),
        (["--data", "cut.parquet"], "cut.parquet: not a whole Parquet file"),
        (["--data", "empty.parquet"], "empty.parquet: the table holds no rows"),
        (["--data", "day.parquet"], "expected at least 5, or --reference"),
        ([], "expected --data TABLE"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    place: Path,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    whole = (place / "quiet.parquet").read_bytes()
    (place / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    frame = pd.read_parquet(place / "quiet.parquet")
    frame.head(0).to_parquet(place / "empty.parquet", index=False)
    frame.head(100).to_parquet(place / "day.parquet", index=False)
    assert run(["backtest", "flights.yaml", *arguments]) == 1
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_breaking_it_off_leaves_nothing(place: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("watchkeeper")
    process = subprocess.Popen(
        [program, "backtest", "flights.yaml", "--data", "broken.parquet"],
        cwd=place,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("watchkeeper-backtest-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == ""
    assert list(tmp_path.iterdir()) == []


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def leftovers() -> set[str]:
    folder = Path(tempfile.gettempdir())
    return {path.name for path in folder.glob("watchkeeper-backtest-*")}


COST = """\
import numpy as np


def cost(rows):
    missed = (rows["y_true"] == 1) & (rows["y_pred_proba"] < 0.3)
    return np.where(missed, rows["distance_miles"], 0.0)
"""


def test_a_function_of_the_owner_decides_and_its_fault_is_one_line(
    place: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "metrics.py").write_text(COST)
    tolerance = "tolerance: {metric: 'metrics.py:cost', rise: 25%}"
    own = MINIMUM.replace("tolerance: {metric: roc_auc, drop: 0.1}", tolerance)
    (tmp_path / "flights.yaml").write_text(own)
    (tmp_path / "broken.parquet").symlink_to(place / "broken.parquet")
    code, result = back_tested(tmp_path, "broken.parquet", "--fail-on", "page")

    log = pd.read_parquet(tmp_path / "broken.parquet")
    past = log[(log.timestamp < result["reference"]["end"]) & log.late.notna()]
    missed = (past.late == 1) & (past.y_pred_proba < 0.3)
    assert result["reference"]["level"] == pytest.approx(
        past.distance_miles.where(missed, 0.0).mean()
    )
    assert code == 2
    assert "a change of cost by " in " ".join(capfd.readouterr().out.split())

    (tmp_path / "metrics.py").write_text("def cost(rows):\n    return rows.distance_km\n")
    config, data = str(tmp_path / "flights.yaml"), str(tmp_path / "broken.parquet")
    assert run(["backtest", config, "--data", data]) == 1
    said = capfd.readouterr().err.strip().splitlines()
    assert said[-1].endswith(
        "metrics.py:cost: metrics.py:2: AttributeError: 'DataFrame' object has no attribute "
        "'distance_km'"
    )


def test_the_budget_of_windows_of_rows_is_in_real_days(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    by_rows = MINIMUM.replace("windows: {size: 1d}", "windows: {size: 250 rows}")
    (place / "by_rows.yaml").write_text(by_rows)
    target = str(place / "by_rows.json")
    arguments = ["--data", str(place / "broken.parquet"), "--json", target]
    assert run(["backtest", str(place / "by_rows.yaml"), *arguments]) == 0

    result = json.loads(Path(target).read_text())
    assert result["reference"]["note"] is None
    start, end = (pd.Timestamp(result["reference"][name]) for name in ("start", "end"))
    # A window of so many rows lasts two days here, and is counted as one on its own clock.
    said = re.search(r"0 pages in (\d+) days: at most", capfd.readouterr().out)
    assert said is not None
    assert int(said[1]) == pytest.approx((end - start) / pd.Timedelta("1D"), rel=0.25)
