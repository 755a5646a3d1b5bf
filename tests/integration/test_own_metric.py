"""The owner's function runs in a process of its own, over the log, and may fail without loss."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import Engine

from feeding import DAY, SCHEMA, SETTINGS, START, Feed, flights
from monitor.model import CheckStatus, Family
from monitor.own_metric.process import row_values
from monitor.reference import fit_reference
from monitor.reference_store import References
from watchkeeper.database import write
from watchkeeper.errors import UsersCodeError
from watchkeeper.metric_function import MetricFunction
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window

COST = """\
import numpy as np


def cost(rows):
    missed = (rows["y_true"] == 1) & (rows["y_pred"] == 0)
    return np.where(missed, rows["distance"], 0.0)
"""
ROWS = pa.table({"y_true": [1.0, 2.0, 3.0], "y_pred": [1.0, 1.0, 1.0]})


def asked(home: Path, code: str, *, timeout: float = 60, batch: int = 2) -> pa.Table:
    (home / "metrics.py").write_text(code)
    function = MetricFunction(metric="metrics.py:cost", home=home, higher_is_better=False)
    return row_values(function, ROWS.schema, ROWS.to_batches(batch), timeout=timeout)


def problem_of(home: Path, code: str, **given: Any) -> str:
    with pytest.raises(UsersCodeError) as caught:
        asked(home, code, **given)
    return str(caught.value)


def test_every_row_gets_a_value_and_a_weight(tmp_path: Path) -> None:
    found = asked(tmp_path, "def cost(rows):\n    return rows.y_true - rows.y_pred, rows.y_true\n")
    assert found.to_pydict() == {"value": [0.0, 1.0, 2.0], "weight": [1.0, 2.0, 3.0]}


def test_modules_of_the_project_win_over_ours_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "monitor.py").write_text("UNIT = 10.0\n")
    code = "from monitor import UNIT\n\n\ndef cost(rows):\n    return UNIT * rows.y_true\n"
    assert asked(tmp_path, code)["value"].to_pylist() == [10.0, 20.0, 30.0]


def test_it_sees_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_SLACK_TOKEN", "xoxb-secret")
    code = (
        "import os\n\n\ndef cost(rows):\n"
        "    return [float('WATCHKEEPER_SLACK_TOKEN' in os.environ)] * len(rows)\n"
    )
    assert asked(tmp_path, code)["value"].to_pylist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("return rows.profit", "metrics.py:2: AttributeError: "),
        ("return rows['profit']", "metrics.py:2: KeyError: 'profit'"),
        ("return 3", "expected a number for each of 2 rows, got int"),
        ("import os; os._exit(0)", "its process ended before it had answered"),
        ("import os; os._exit(3)", "its process ended with status 3"),
        ("import os; os.kill(os.getpid(), 9)", "its process ended with status -9"),
        ("raise SystemExit(0)", "ended its process"),
        ("return bytearray(8 << 30)", "ran out of memory"),
        ("return rows.y_true - rows.y_true.mean()", "to depend on that row alone"),
    ],
)
def test_what_it_does_wrong_is_one_line(tmp_path: Path, body: str, problem: str) -> None:
    said = problem_of(tmp_path, f"def cost(rows):\n    {body}\n")
    assert said.startswith("metrics.py:cost: ")
    assert problem in said
    assert "\n" not in said


def test_an_error_that_may_hold_values_of_rows_is_told_without_them(tmp_path: Path) -> None:
    said = problem_of(
        tmp_path, "def cost(rows):\n    raise ValueError(f'row {list(rows.y_true)}')\n"
    )
    assert "metrics.py:2: ValueError (its message may hold values of rows, and is left out)" in said
    assert "1.0" not in said


def test_one_that_does_not_end_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    code = (
        "import pathlib, subprocess, time\n\n\ndef cost(rows):\n"
        "    other = subprocess.Popen(['sleep', '600'])\n"
        "    pathlib.Path('started').write_text(str(other.pid))\n"
        "    time.sleep(600)\n"
    )
    assert "took longer than 5 s; ended" in problem_of(tmp_path, code, timeout=5)
    other = int((tmp_path / "started").read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and alive(other):
        time.sleep(0.05)
    assert not alive(other)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A process that nobody has waited for is dead all the same.
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def settings_of(home: Path) -> ModelSettings:
    (home / "metrics.py").write_text(COST)
    written = SETTINGS.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    held = {"metric": "metrics.py:cost", "rise": "30%"}
    found = ModelSettings.model_validate(written | {"tolerance": held})
    return found.model_copy(update={"tolerance": found.tolerance.within(home)})


def fed(engine: Engine, home: Path, settings: ModelSettings) -> Feed:
    frame = flights(START - 12 * DAY, 12, 0)
    reference = fit_reference(
        frame,
        schema=SCHEMA,
        settings=settings,
        timestamps=frame.timestamp,
        y_pred=frame.y_pred,
        y_pred_proba=frame.y_pred_proba,
        y_true=frame.y_true,
    )
    with write(engine) as session:
        References(session).add("flights", 1, reference, START)
    return Feed(engine, home)


def cost_of(frame: pd.DataFrame) -> float:
    missed = (frame.y_true == 1) & (frame.y_pred == 0)
    return float(frame.distance.where(missed, 0.0).mean())


def test_the_log_is_held_to_it_and_a_corrected_label_counts_anew(
    engine: Engine, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path)
    feed = fed(engine, tmp_path, settings)
    frame = flights(START, 1, 2)
    again = frame.sample(50, random_state=0)
    feed.ship(frame, START + DAY)
    feed.ship(again, START + DAY)
    feed.label(frame.iloc[10:], START + DAY)
    feed.tick(START + DAY, settings)
    (judged,) = feed.tick(START + 2 * DAY, settings)
    performance = judged.of(Family.PERFORMANCE)[0]
    assert performance.measurement.metric == "metrics.py:cost"
    assert performance.measurement.value == pytest.approx(cost_of(frame.iloc[10:]))
    window = Window(start=START, end=START + DAY)
    assert feed.stored(window).duplicates == len(again)
    assert feed.stored(window).rows == len(frame)

    worse = frame.iloc[10:].assign(y_true=np.int64(1))
    feed.label(worse, START + 2 * DAY)
    (corrected,) = feed.tick(START + 2 * DAY, settings)
    performance = corrected.of(Family.PERFORMANCE)[0]
    assert performance.measurement.value == pytest.approx(cost_of(worse))
    assert performance.status is CheckStatus.CRITICAL
    assert performance.reason.startswith("cost ")


def test_while_it_fails_nothing_is_lost(engine: Engine, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    feed = fed(engine, tmp_path, settings)
    frame = flights(START, 1, 3)
    feed.ship(frame, START + DAY)
    feed.label(frame, START + DAY)
    (tmp_path / "metrics.py").write_text("def cost(rows):\n    return rows.profit\n")
    for _ in range(2):
        with pytest.raises(UsersCodeError, match=r"metrics.py:2: AttributeError"):
            feed.tick(START + 2 * DAY, settings)
    (tmp_path / "metrics.py").write_text(COST)
    (judged,) = feed.tick(START + 2 * DAY, settings)
    performance = judged.of(Family.PERFORMANCE)[0]
    assert performance.measurement.value == pytest.approx(cost_of(frame))
    assert performance.status is not CheckStatus.INSUFFICIENT_DATA
