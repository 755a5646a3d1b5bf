"""The test databases are what the tests believe they are."""

from __future__ import annotations

from sqlalchemy import Engine, text

from watchkeeper.clock import SteppedClock
from watchkeeper.database import database_now, read, write


def test_each_test_starts_with_empty_tables(engine: Engine) -> None:
    with write(engine) as session:
        session.execute(text("CREATE TABLE left_behind (id INTEGER)"))


def test_no_test_sees_what_another_wrote(engine: Engine) -> None:
    with write(engine) as session:
        session.execute(text("CREATE TABLE left_behind (id INTEGER)"))


def test_the_database_tells_its_wall_time(engine: Engine) -> None:
    with read(engine) as session:
        first, second = database_now(session), database_now(session)

    assert 1_700_000_000 < first <= second


def test_a_test_may_ask_for_sqlite_alone(sqlite_engine: Engine) -> None:
    assert sqlite_engine.dialect.name == "sqlite"


def test_event_time_stands_still(clock: SteppedClock) -> None:
    assert clock.now() == clock.now()
