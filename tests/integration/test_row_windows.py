"""Windows of so many rows in a live log: cut once, corrected by late rows, by two workers."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, select

from feeding import DAY, HOUR, SCHEMA, START, Feed, flights, settings_of
from monitor.model import CheckStatus, Family
from monitor.profiles.marks import DirtyTiles
from monitor.reference import fit_reference
from monitor.reference_store import References
from monitor.window_store import WindowRow
from watchkeeper.database import read, write
from watchkeeper.window import Window

SETTINGS = settings_of(size="100 rows")


@pytest.fixture
def feed(engine: Engine, tmp_path: Path) -> Feed:
    return Feed.with_reference(engine, tmp_path)


def windows(feed: Feed, version: int = 1) -> list[Window]:
    with read(feed.engine) as session:
        found = session.execute(
            select(WindowRow.window_start, WindowRow.window_end)
            .where(WindowRow.version == version)
            .order_by(WindowRow.window_start)
        )
        return [Window(start=start, end=end) for start, end in found]


def counted(frame: pd.DataFrame, window: Window) -> int:
    return int(((frame.timestamp >= window.start) & (frame.timestamp < window.end)).sum())


def test_a_window_ends_when_its_rows_are_there_and_follows_the_last(feed: Feed) -> None:
    frame = flights(START, 4, 40)
    shipped = pd.Timestamp(START)
    for hours in range(5, 97, 7):
        now = START + hours * HOUR
        feed.ship(frame[(frame.timestamp >= shipped) & (frame.timestamp < now)], now)
        shipped = pd.Timestamp(now)
        feed.tick(now, SETTINGS)
    found = windows(feed)
    seen = frame[frame.timestamp < shipped]
    assert found[0].start == frame.timestamp.min()
    assert [a.end for a in found[:-1]] == [b.start for b in found[1:]]
    assert [counted(frame, window) for window in found] == [100] * len(found)
    assert len(found) == (len(seen) - 1) // 100
    for window in found:
        assert feed.stored(window).rows == 100
    with read(feed.engine) as session:
        rows = session.scalars(select(WindowRow)).all()
        assert all(row.evaluated_at is not None for row in rows)
        assert DirtyTiles(session).take("flights") == []


def test_a_late_row_is_a_correction_and_moves_no_end(feed: Feed) -> None:
    frame = flights(START, 3, 41)
    feed.ship(frame, START + 3 * DAY)
    feed.tick(START + 3 * DAY, SETTINGS)
    before = windows(feed)
    middle = before[2]
    inside = middle.start + (middle.end - middle.start) / 2
    late = flights(START, 1, 42).iloc[:5].assign(timestamp=inside)
    feed.ship(late, START + 3 * DAY)
    found = feed.tick(START + 3 * DAY, SETTINGS)
    assert [(each.window, each.rows, each.revision) for each in found] == [(middle, 105, 1)]
    assert windows(feed) == before


def test_rows_of_one_instant_stay_together(feed: Feed) -> None:
    frame = flights(START, 2, 43)
    batch = frame.timestamp >= START + DAY
    frame.loc[batch, "timestamp"] = pd.Timestamp(START + 30 * HOUR)
    feed.ship(frame, START + 2 * DAY)
    feed.tick(START + 2 * DAY, SETTINGS)
    first = windows(feed)
    feed.ship(flights(START + 2 * DAY, 1, 44), START + 3 * DAY)
    feed.tick(START + 3 * DAY, SETTINGS)
    found = windows(feed)
    # Where the batch ends is not known before the next row is there.
    assert len(first) == int((~batch).sum()) // 100
    assert found[: len(first)] == first
    whole = next(window for window in found if START + 30 * HOUR in window)
    assert feed.stored(whole).rows >= batch.sum()


def test_harm_is_judged_in_windows_of_rows(feed: Feed) -> None:
    frame = pd.concat([flights(START, 4, 45), flights(START + 4 * DAY, 4, 46, harm=0.8)])
    frame["prediction_id"] = [f"p{number}" for number in range(len(frame))]
    feed.ship(frame, START + 8 * DAY)
    feed.label(frame, START + 8 * DAY)
    found = feed.tick(START + 10 * DAY, SETTINGS)
    statuses = {
        each.window: next(r.status for r in each.of(Family.PERFORMANCE) if r.check == "performance")
        for each in found
    }
    bad = [w for w, status in statuses.items() if status is CheckStatus.CRITICAL]
    assert min(bad).start > START + 3 * DAY
    assert len(bad) > len([w for w in statuses if w.start > START + 4 * DAY]) / 2
    decay = [r.status for each in found for r in each.results if r.check == "decay"]
    assert CheckStatus.CRITICAL in decay


def test_windows_shorter_than_a_tile_are_judged_and_their_budget_counts_them(feed: Feed) -> None:
    # Ten rows an hour: windows of five last half of one.
    settings = settings_of(size="5 rows")
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
    assert reference.budget is not None
    assert reference.budget.days == pytest.approx(12, abs=0.5)
    with write(feed.engine) as session:
        References(session).add("flights", 2, reference, START)
    day = flights(START, 1, 50)
    feed.ship(day, START + DAY, version=2)
    feed.label(day, START + DAY)
    found = feed.tick(START + 3 * DAY, settings)
    assert {each.rows for each in found} == {5}
    decay = [r for each in found for r in each.results if r.check == "decay"]
    assert {r.status for r in decay} == {CheckStatus.OK}
    assert decay[0].threshold.upper == pytest.approx(math.log(90 * 48))


@pytest.mark.parametrize("_round", range(2))
def test_two_workers_cut_each_row_into_one_window(feed: Feed, _round: int) -> None:
    frame = flights(START, 6, 47)
    monitors = [feed.new_monitor() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        for day in range(6):
            start = START + day * DAY
            some = frame[(frame.timestamp >= start) & (frame.timestamp < start + DAY)]
            for part in range(3):
                feed.ship(some.iloc[part::3], start + DAY)
            list(pool.map(lambda m: m.profile(SETTINGS, START + 6 * DAY), monitors))
    feed.tick(START + 6 * DAY + HOUR, SETTINGS)
    found = windows(feed)
    assert [a.end for a in found[:-1]] == [b.start for b in found[1:]]
    assert sum(feed.stored(window).rows for window in found) == sum(
        counted(frame, window) for window in found
    )
    assert counted(frame, Window(start=found[-1].end, end=START + 6 * DAY)) <= 100


def test_windows_of_hours_go_on_as_windows_of_rows(feed: Feed) -> None:
    frame = flights(START, 4, 48)
    early = frame.timestamp < START + 2 * DAY
    feed.ship(frame[early], START + 2 * DAY)
    feed.tick(START + 2 * DAY, settings_of(size="6h"))
    feed.ship(frame[~early], START + 4 * DAY)
    feed.tick(START + 4 * DAY, SETTINGS)
    late = frame.iloc[:3].assign(
        prediction_id=["a", "b", "c"], timestamp=pd.Timestamp(START + timedelta(hours=7))
    )
    feed.ship(late, START + 4 * DAY)
    feed.tick(START + 4 * DAY, SETTINGS)
    found = windows(feed)
    assert [a.end for a in found[:-1]] == [b.start for b in found[1:]]
    assert [feed.stored(window).rows for window in found] == [
        counted(pd.concat([frame, late]), window) for window in found
    ]


def test_a_repeated_prediction_counts_once(feed: Feed) -> None:
    frame = flights(START, 1, 49)
    feed.ship(frame.iloc[:150], START + DAY)
    feed.ship(frame.iloc[:150], START + DAY)
    feed.tick(START + DAY, SETTINGS)
    assert [feed.stored(window).rows for window in windows(feed)] == [100]
