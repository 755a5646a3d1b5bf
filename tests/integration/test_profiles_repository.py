"""Stored profiles and the marks of what must be profiled again, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine

from monitor.profiles.marks import DirtyTiles
from monitor.profiles.repository import Change, Profiles, StoredProfile
from watchkeeper.database import read, write

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def stored(start: datetime, data: bytes = b"a", version: int = 1) -> StoredProfile:
    return StoredProfile(
        model="flights", version=version, tile_start=start, rows=3, labels=2, data=data
    )


def test_instants_mark_their_hour_once(engine: Engine) -> None:
    with write(engine) as session:
        DirtyTiles(session).mark(
            "flights", [NOON + timedelta(minutes=m) for m in (1, 59, 61)], NOON
        )
    with read(engine) as session:
        taken = DirtyTiles(session).take("flights")
        assert [tile.tile_start for tile in taken] == [NOON, NOON + HOUR]
        assert DirtyTiles(session).take("other") == []
        assert DirtyTiles(session).models() == ["flights"]


def test_an_hour_marked_again_while_it_is_computed_stays_marked(engine: Engine) -> None:
    with write(engine) as session:
        DirtyTiles(session).mark("flights", [NOON, NOON + HOUR], NOON)
    with read(engine) as session:
        taken = DirtyTiles(session).take("flights")
    with write(engine) as session:
        DirtyTiles(session).mark("flights", [NOON], NOON + HOUR)
    with write(engine) as session:
        assert DirtyTiles(session).clear(taken) == {NOON + HOUR}
    with read(engine) as session:
        assert [tile.tile_start for tile in DirtyTiles(session).take("flights")] == [NOON]


def test_only_one_of_two_workers_clears_an_hour_even_when_it_is_marked_anew(engine: Engine) -> None:
    with write(engine) as session:
        DirtyTiles(session).mark("flights", [NOON], NOON)
    with read(engine) as session:
        slow = DirtyTiles(session).take("flights")
    with write(engine) as session:
        assert DirtyTiles(session).clear(slow) == {NOON}
        DirtyTiles(session).mark("flights", [NOON], NOON)
    with write(engine) as session:
        assert DirtyTiles(session).clear(slow) == set()


def test_label_batches_wait_until_they_are_cleared(engine: Engine) -> None:
    days = [date(2013, 6, 2), date(2013, 6, 1)]
    with write(engine) as session:
        for _ in range(2):
            DirtyTiles(session).mark_labels("flights", writer="a", sequence=7, days=days, at=NOON)
    with write(engine) as session:
        (batch,) = DirtyTiles(session).take_labels("flights")
        assert (batch.first_day, batch.last_day) == (date(2013, 6, 1), date(2013, 6, 2))
        DirtyTiles(session).clear_labels([batch])
    with read(engine) as session:
        assert DirtyTiles(session).take_labels("flights") == []


def test_replacing_tiles_says_what_changed_and_drops_what_is_gone(engine: Engine) -> None:
    later = NOON + HOUR
    with write(engine) as session:
        profiles = Profiles(session)
        both = [stored(NOON), stored(later), stored(later, version=2)]
        assert len(profiles.replace("flights", [NOON, later], both, NOON)) == 3
    with write(engine) as session:
        profiles = Profiles(session)
        now = [stored(NOON), stored(later, b"b")]
        assert profiles.replace("flights", [NOON, later], now, NOON) == [
            Change(version=1, tile_start=later, in_rows=False),
            Change(version=2, tile_start=later, in_rows=True),
        ]
    with read(engine) as session:
        profiles = Profiles(session)
        assert [p.data for p in profiles.between("flights", 1, NOON, later + HOUR)] == [b"a", b"b"]
        assert profiles.between("flights", 2, NOON, later + HOUR) == []
