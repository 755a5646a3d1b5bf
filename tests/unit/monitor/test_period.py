"""Cycles are found where they are, and rarely where they are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from scipy import signal

from monitor.period import WEEK, Cycle, find_cycles, note_on
from monitor.reference import Reference
from monitor.volumes import rows_by_hour

from .conftest import START

UTC_ZONE = ZoneInfo("UTC")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hours(days: int) -> list[datetime]:
    return [datetime(2013, 6, 3, 5, tzinfo=UTC) + k * HOUR for k in range(24 * days)]


def test_a_day_and_a_week_are_found() -> None:
    rng = np.random.default_rng(0)
    starts = hours(40)
    busy = [50 * (8 <= t.hour < 20) + 60 * (t.weekday() < 5) + rng.poisson(20) for t in starts]
    day, week = find_cycles(starts, [busy], UTC_ZONE)
    assert day.found
    assert week.found
    assert note_on([day, week], 7 * DAY, 40 * DAY) is None
    note = note_on([day, week], DAY, 40 * DAY)
    assert note is not None
    assert "weekly cycle" in note
    assert "1w fits" in note


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_noise_and_trends_are_no_cycle(memory: float) -> None:
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        starts = hours(25)
        noise = signal.lfilter([1.0], [1.0, -memory], rng.normal(size=(3, len(starts))), axis=1)
        series = noise + 0.02 * (seed % 2) * np.arange(len(starts))
        found += sum(cycle.found for cycle in find_cycles(starts, series.tolist(), UTC_ZONE))
    assert found <= 3


def test_a_cycle_of_local_time_is_one_across_a_change_of_the_clocks() -> None:
    zone = ZoneInfo("America/New_York")
    starts = [datetime(2013, 3, 1, tzinfo=UTC) + k * HOUR for k in range(24 * 20)]
    busy = [float(t.astimezone(zone).hour == 9) for t in starts]
    day, _ = find_cycles(starts, [busy], zone)
    assert day.share > 0.99


def test_a_short_reference_says_what_it_cannot_know() -> None:
    day, week = find_cycles(hours(4), [[1.0] * 96], UTC_ZONE)
    assert not week.known
    assert not day.found
    note = note_on([day, week], DAY, 4 * DAY)
    assert note is not None
    assert note.startswith("the reference spans 4 days")


def test_windows_of_hours_are_told_of_the_day() -> None:
    day = Cycle(length=DAY, p_value=0.005, share=0.4, known=True)
    week = Cycle(length=WEEK, p_value=0.005, share=0.01, known=True)
    note = note_on([day, week], 6 * HOUR, 30 * DAY)
    assert note is not None
    assert "daily cycle" in note
    assert "1d fits" in note


def test_a_reference_without_cycles_has_no_note(reference: Reference) -> None:
    assert reference.note is None


def test_hours_are_counted_in_a_file(tmp_path: Path) -> None:
    times = [START, START + timedelta(minutes=59), START + 3 * HOUR]
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"at": times, "name": ["a", "b", "c"]}).to_parquet(path)
    assert rows_by_hour(path, "at") == {START: 2, START + 3 * HOUR: 1}
    assert rows_by_hour(path, "name") == {}
    assert rows_by_hour(tmp_path / "absent.parquet", "at") == {}
