"""Ticks over a real lake and both databases: counts, corrections, silence, two workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine

from feeding import DAY, HOUR, SETTINGS, START, Feed, flights, settings_of
from monitor.model import CheckStatus, EvaluatedWindow, Family
from monitor.profiles.marks import DirtyTiles
from monitor.reference_store import References
from monitor.repository import Measurements
from watchkeeper.database import read, write
from watchkeeper.window import Window


@pytest.fixture
def feed(engine: Engine, tmp_path: Path) -> Feed:
    return Feed.with_reference(engine, tmp_path)


def day(number: int) -> Window:
    return Window(start=START + number * DAY, end=START + (number + 1) * DAY)


def test_daily_ticks_count_what_pandas_counts(feed: Feed) -> None:
    frame = flights(START, 14, 1)
    known_at = frame.timestamp + pd.to_timedelta(frame.delay, unit="s")
    evaluated: dict[datetime, list[EvaluatedWindow]] = {}
    shipped_until = labelled_until = pd.Timestamp(START)
    for number in range(1, 16):
        now = START + number * DAY
        feed.ship(frame[(frame.timestamp >= shipped_until) & (frame.timestamp < now)], now)
        feed.label(frame[(known_at >= labelled_until) & (known_at < now)], now)
        shipped_until = labelled_until = pd.Timestamp(now)
        for window in feed.tick(now):
            evaluated.setdefault(window.window.start, []).append(window)

    assert list(evaluated) == [START + number * DAY for number in range(14)]
    for number, windows in enumerate(evaluated.values()):
        rows = frame[(frame.timestamp >= day(number).start) & (frame.timestamp < day(number).end)]
        merged = feed.stored(day(number))
        assert merged.rows == windows[-1].rows == len(rows)
        assert merged.labels == windows[-1].labels == len(rows)
        assert merged.column("distance").total == pytest.approx(rows.distance.sum(), rel=1e-9)
        assert merged.column("gust").null == rows.gust.isna().sum()
        assert [w.labels_mature for w in windows] == [False, True]
        assert [w.revision for w in windows] == [0, 1]
    criticals = [
        result
        for windows in evaluated.values()
        for result in windows[-1].results
        if result.status is CheckStatus.CRITICAL
    ]
    assert criticals == []
    assert feed.tick(START + 15 * DAY) == []
    assert feed.monitor.profile(SETTINGS, START + 15 * DAY).tiles == 0


def test_harm_is_judged_when_labels_are_mature_and_a_late_label_corrects_it(feed: Feed) -> None:
    frame = flights(START, 1, 2, harm=0.8)
    feed.ship(frame, START + DAY)
    early = frame.sample(100, random_state=0)
    feed.label(early, START + DAY)
    (first,) = feed.tick(START + DAY)
    assert first.of(Family.PERFORMANCE)[0].status is CheckStatus.INSUFFICIENT_DATA
    assert (first.labels, first.labels_mature, first.revision) == (100, False, 0)

    feed.label(frame.drop(early.index), START + 30 * HOUR)
    assert feed.tick(START + 30 * HOUR) == []
    (judged,) = feed.tick(START + 2 * DAY)
    performance = judged.of(Family.PERFORMANCE)[0]
    assert (performance.status, judged.revision) == (CheckStatus.CRITICAL, 1)
    assert performance.effect is not None
    assert performance.effect > 1

    feed.label(frame.assign(y_true=frame.y_pred), START + 3 * DAY)
    (corrected,) = [w for w in feed.tick(START + 3 * DAY) if w.window == day(0)]
    assert corrected.of(Family.PERFORMANCE)[0].status is CheckStatus.OK
    assert corrected.revision == 2
    with read(feed.engine) as session:
        rows = Measurements(session).of("flights", 1, day(0))
        history = Measurements(session).corrections("flights", 1, day(0))
    assert {r.status for r in rows if r.metric == "log_loss"} == {"ok"}
    assert [(c.old_status, c.new_status) for c in history if c.metric == "log_loss"] == [
        ("insufficient_data", "critical"),
        ("critical", "ok"),
    ]
    assert history[-1].old_reason.startswith("log_loss")


def test_a_broken_join_is_found_and_is_over_when_the_feed_is_back(feed: Feed) -> None:
    frame = flights(START, 2, 3)
    broken = frame.timestamp < START + DAY
    frame.loc[broken, ["wind", "gust"]] = np.nan
    feed.ship(frame, START + 2 * DAY)
    first, second = feed.tick(START + 2 * DAY)
    bad = {
        r.measurement.column: r.check
        for r in first.of(Family.DATA_CONTRACT)
        if r.status is CheckStatus.CRITICAL
    }
    assert bad["wind"] == "null_surge"
    assert all(r.status is not CheckStatus.CRITICAL for r in second.of(Family.DATA_CONTRACT))


def test_late_rows_are_a_correction_and_silence_is_a_finding(feed: Feed) -> None:
    frame = flights(START, 12, 4)
    held = frame[(frame.timestamp >= day(10).start) & (frame.timestamp < day(11).end)]
    feed.ship(frame.drop(held.index), START + 10 * DAY)
    feed.tick(START + 10 * DAY + HOUR)

    silent = feed.tick(START + 12 * DAY + HOUR)
    volumes = [
        (w.window, r.status) for w in silent if not w.rows for r in w.results if r.check == "volume"
    ]
    assert volumes == [(day(10), CheckStatus.CRITICAL), (day(11), CheckStatus.CRITICAL)]

    feed.ship(held, START + 12 * DAY)
    late = [w for w in feed.tick(START + 12 * DAY + 2 * HOUR) if w.window in {day(10), day(11)}]
    assert [w.revision for w in late] == [1, 1]
    assert {r.status for w in late for r in w.results if r.check == "volume"} == {CheckStatus.OK}


def test_a_day_without_rows_is_found_also_when_the_next_one_has_some(feed: Feed) -> None:
    frame = flights(START, 12, 8)
    missing = (frame.timestamp >= day(10).start) & (frame.timestamp < day(11).start)
    feed.ship(frame[~missing], START + 12 * DAY)
    found = feed.tick(START + 12 * DAY)
    assert [w.window for w in found] == [day(number) for number in range(12)]
    (volume,) = [r for r in found[10].results if r.check == "volume"]
    assert volume.status is CheckStatus.CRITICAL
    assert feed.tick(START + 12 * DAY) == []


def test_labels_from_the_future_count_when_their_time_has_come(feed: Feed) -> None:
    frame = flights(START, 1, 5)
    feed.ship(frame, START + DAY)
    feed.label(frame, START + DAY, labelled_at=START + 3 * DAY)
    (first,) = feed.tick(START + DAY)
    assert first.labels == 0
    now = START + 3 * DAY
    assert [w.labels for w in feed.tick(now) if w.window == day(0)] == [len(frame)]


@pytest.mark.parametrize("tile", ["30m", "1h", "1d"])
def test_two_workers_at_once_count_every_row_once(feed: Feed, tile: str) -> None:
    settings = settings_of(tile=tile)
    frame = flights(START, 6, 6)
    for number in range(3):
        feed.ship(frame[number::3], START + 6 * DAY)
    monitors = [feed.new_monitor() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda m: m.profile(settings, START + 6 * DAY), monitors))
    whole = feed.stored(Window(start=START, end=START + 6 * DAY))
    assert whole.rows == len(frame)
    with read(feed.engine) as session:
        assert DirtyTiles(session).take("flights") == []


def test_rows_of_a_version_without_a_reference_wait_for_it(feed: Feed) -> None:
    frame = flights(START, 1, 7)
    feed.ship(frame, START + DAY, version=2)
    assert feed.tick(START + DAY) == []
    with write(feed.engine) as session:
        reference = References(session).get("flights", 1)
        References(session).add("flights", 2, reference, START)
    feed.monitor.mark_all(SETTINGS, START + DAY)
    (found,) = feed.tick(START + DAY)
    assert (found.version, found.rows) == (2, len(frame))
