"""Hours of the past become days: the same counts and verdicts, late rows and two workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, select

from feeding import DAY, HOUR, START, Feed, flights, settings_of
from monitor.model import EvaluatedWindow
from monitor.profiles.marks import DirtyTiles
from monitor.profiles.model import Profile
from monitor.profiles.repository import ProfileRow
from monitor.repository import Measurements
from watchkeeper.database import read
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window, windows_between

SETTINGS = settings_of()
LATER = START + 60 * DAY


@pytest.fixture
def feed(engine: Engine, tmp_path: Path) -> Feed:
    return Feed.with_reference(engine, tmp_path)


def lived_through(feed: Feed, settings: ModelSettings, days: int = 4) -> pd.DataFrame:
    """Days of rows and labels that were evaluated long ago."""
    frame = flights(START, days, 21)
    now = START + (days + 3) * DAY
    feed.ship(frame, now)
    feed.label(frame, now)
    assert feed.tick(now, settings)
    # Windows of a week close later; those that hold no row are found once.
    feed.tick(START + 21 * DAY, settings)
    return frame


def rows(feed: Feed) -> list[ProfileRow]:
    with read(feed.engine) as session:
        return list(session.scalars(select(ProfileRow).order_by(ProfileRow.tile_start)))


def values(feed: Feed, windows: list[Window]) -> list[tuple[str, float | None, int]]:
    with read(feed.engine) as session:
        found = [row for w in windows for row in Measurements(session).of("flights", 1, w)]
        return [(row.metric, row.value, row.revision) for row in found]


def windows_of(settings: ModelSettings, days: int = 4) -> list[Window]:
    zone, size = settings.windows.timezone, settings.windows.size
    return list(windows_between(START - DAY, START + (days + 1) * DAY, size, zone))


def counts(profile: Profile) -> tuple[object, ...]:
    """All that is exact in a profile, and one mean."""
    return (
        profile.rows,
        profile.labels,
        profile.duplicates,
        profile.cells.tolist(),
        profile.outcomes.counts.tolist(),
        round(profile.column("distance").total, 3),
    )


@pytest.mark.parametrize(
    "windows",
    [
        {"size": "1d"},
        {"size": "1d", "timezone": "America/New_York"},
        {"size": "6h", "timezone": "Europe/Berlin"},
        {"size": "1w", "timezone": "Asia/Tokyo"},
        {"size": "1d", "timezone": "Asia/Kolkata"},
    ],
    ids=lambda windows: "-".join(windows.values()),
)
def test_days_read_as_their_hours_did(feed: Feed, windows: dict[str, str]) -> None:
    settings = settings_of(**windows)
    lived_through(feed, settings)
    before = [counts(feed.stored(window)) for window in windows_of(settings)]
    hours = len(rows(feed))

    done = feed.monitor.roll_up(settings, LATER)

    after = rows(feed)
    assert done > 0
    assert len(after) < hours / 4
    assert [counts(feed.stored(window)) for window in windows_of(settings)] == before
    assert [window for window in feed.tick(LATER, settings) if window.rows] == []
    for row in after:
        if row.rolled_until is not None:
            local = row.tile_start.astimezone(settings.windows.timezone)
            assert local.minute == 0 or settings.windows.timezone.key == "Asia/Kolkata"
            assert row.rolled_until - row.tile_start <= timedelta(hours=25)


def test_the_day_on_which_clocks_change_is_one_day(engine: Engine, tmp_path: Path) -> None:
    feed = Feed.with_reference(engine, tmp_path)
    settings = settings_of(timezone="America/New_York")
    begin = datetime(2013, 11, 2, tzinfo=UTC)
    frame = flights(begin, 4, 22)
    feed.ship(frame, begin + 7 * DAY)
    feed.label(frame, begin + 7 * DAY)
    feed.tick(begin + 7 * DAY, settings)
    feed.monitor.roll_up(settings, begin + 60 * DAY)
    lengths = [
        row.rolled_until - row.tile_start for row in rows(feed) if row.rolled_until is not None
    ]
    assert [length // HOUR for length in lengths] == [24, 24, 25, 24, 24]


def test_only_days_long_past_whose_labels_are_mature_are_merged(feed: Feed) -> None:
    lived_through(feed, SETTINGS)
    patient = SETTINGS.model_copy(
        update={"label": SETTINGS.label.model_copy(update={"delay": 90 * DAY})}
    )
    extra = flights(START + 4 * DAY, 1, 23)
    feed.ship(extra, START + 9 * DAY)
    feed.tick(START + 9 * DAY, patient)

    feed.monitor.roll_up(patient, START + 32 * DAY)
    first = [row.rolled_until for row in rows(feed) if row.rolled_until is not None]
    feed.monitor.roll_up(patient, LATER)

    assert first == [START + DAY, START + 2 * DAY]
    assert [row.rolled_until for row in rows(feed) if row.rolled_until is not None] == [
        START + number * DAY for number in (1, 2, 3, 4)
    ]
    assert sum(row.tile_start >= START + 4 * DAY for row in rows(feed)) == 24


@pytest.mark.parametrize("windows", [{}, {"timezone": "Asia/Kolkata"}, {"size": "6h"}])
def test_a_late_row_is_judged_as_if_days_had_stayed_hours(
    feed: Feed, windows: dict[str, str]
) -> None:
    settings = settings_of(**windows)
    frame = lived_through(feed, settings)
    late = flights(START + DAY + 5 * HOUR, 1, 24).iloc[:7]
    feed.monitor.roll_up(settings, LATER)

    feed.ship(late, LATER)
    found = feed.tick(LATER, settings)

    touched = {window.window for window in found if window.revision}
    wanted = {w for w in windows_of(settings) if any(t in w for t in late.timestamp)}
    assert touched == wanted
    with_late = pd.concat([frame, late])
    for window in windows_of(settings):
        inside = with_late[
            (with_late.timestamp >= window.start) & (with_late.timestamp < window.end)
        ]
        assert feed.stored(window).rows == len(inside)
    # Judged on hours, as it would have been without any merging.
    assert_same_as_hours(feed, settings, found)
    tomorrow = LATER + DAY
    assert feed.monitor.roll_up(settings, tomorrow) >= 1
    assert [window for window in feed.tick(tomorrow, settings) if window.rows] == []


def assert_same_as_hours(feed: Feed, settings: ModelSettings, found: list[EvaluatedWindow]) -> None:
    seen = values(feed, [each.window for each in found])
    feed.monitor.mark_all(settings, LATER)
    feed.tick(LATER, settings)
    again = values(feed, [each.window for each in found])
    assert [row[:2] for row in seen] == [row[:2] for row in again]


def test_a_killed_division_is_finished_by_the_next_look(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = lived_through(feed, SETTINGS)
    feed.monitor.roll_up(SETTINGS, LATER)
    late = flights(START + DAY, 1, 25).iloc[:5]
    feed.ship(late, LATER)
    with monkeypatch.context() as patch:
        patch.setattr("monitor.profiling.Profiler._compute", killed)
        with pytest.raises(KeyboardInterrupt):
            feed.tick(LATER)
    assert feed.monitor.roll_up(SETTINGS, LATER + DAY) == 0
    feed.tick(LATER + DAY)
    whole = feed.stored(Window(start=START, end=START + 4 * DAY))
    assert whole.rows == len(frame) + len(late)


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_two_workers_merge_and_divide_at_once(feed: Feed) -> None:
    frame = lived_through(feed, SETTINGS, days=8)
    monitors = [feed.new_monitor() for _ in range(4)]
    late = [flights(START + n * DAY, 1, 30 + n).iloc[:3] for n in range(8)]
    for each in late[:4]:
        feed.ship(each, LATER)
    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(monitor.roll_up, SETTINGS, LATER) for monitor in monitors[:2]]
        work += [pool.submit(monitor.profile, SETTINGS, LATER) for monitor in monitors[2:]]
        for each in late[4:]:
            feed.ship(each, LATER)
        for done in work:
            done.result()
    feed.tick(LATER + DAY)
    feed.monitor.roll_up(SETTINGS, LATER + DAY)
    whole = feed.stored(Window(start=START, end=START + 8 * DAY))
    assert whole.rows == len(frame) + sum(map(len, late))
    with read(feed.engine) as session:
        assert DirtyTiles(session).take("flights") == []
    assert len(rows(feed)) == 8
