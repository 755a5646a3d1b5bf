"""``check`` says when windows do not fit the cycles of the training table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from service.check import project_notes

MODEL = """model: flights
task: binary
owner: {name: Flight models on call}
timestamp: at
prediction: {score: p}
label: {column: late}
windows: {size: SIZE}
tolerance: {metric: log_loss, rise: 20%}
retrain: {command: 'train.py:train', data: rows.parquet}
"""


@pytest.mark.parametrize(("size", "noted"), [("1d", True), ("7d", False), ("5000 rows", False)])
def test_windows_of_a_part_of_a_week_are_noted(tmp_path: Path, size: str, *, noted: bool) -> None:
    hours = pd.date_range("2013-06-03", periods=24 * 40, freq="h", tz="UTC")
    busy = np.where((hours.hour > 8) & (hours.weekday < 5), 30, 5)
    pd.DataFrame({"at": hours.repeat(busy), "late": 1}).to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/flights.yaml").write_text(MODEL.replace("SIZE", size))
    notes = [note for note in project_notes(tmp_path, {}) if note.field == "windows.size"]
    assert [note.line for note in notes] == [7] * noted
    assert all("there is a weekly cycle" in str(note) for note in notes)
