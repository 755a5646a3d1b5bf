from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from watchkeeper.database import database_now, make_engine, now_sql, read, write
from watchkeeper.errors import ConfigurationError
from watchkeeper.jobs.repository import JobRuns

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("url", ["", "flights.db", "mysql://host/name", "oracle://host"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="database_url: expected sqlite"):
        make_engine(url)


def test_an_instant_comes_back_in_utc(engine: Engine) -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    moment = datetime(2013, 6, 1, 17, 30, 0, 123456, tzinfo=east)
    with write(engine) as session:
        JobRuns(session).materialise("tick", moment)

    with read(engine) as session:
        back = JobRuns(session).last_fire_time("tick")
    assert back is not None
    assert back.isoformat() == "2013-06-01T12:00:00.123456+00:00"


def test_a_naive_instant_is_not_stored(engine: Engine) -> None:
    with pytest.raises(StatementError, match="expected an aware datetime"):
        with write(engine) as session:
            JobRuns(session).materialise("tick", NOON.replace(tzinfo=None))


def test_nothing_of_a_failed_transaction_stays(engine: Engine) -> None:
    def fail_half_way() -> None:
        with write(engine) as session:
            JobRuns(session).materialise("tick", NOON)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    with read(engine) as session:
        assert JobRuns(session).of("tick") == []


def test_the_database_keeps_its_references(engine: Engine) -> None:
    statement = text(
        "INSERT INTO deployments (model, generation, version, weight, decided_by, reason, at)"
        " VALUES ('flights', 1, 1, 0, 'ann', 'why', :at)"
    )
    with pytest.raises(IntegrityError), write(engine) as session:
        session.execute(statement, {"at": NOON.replace(tzinfo=None)})


def test_the_databases_clock_agrees_with_the_machines(engine: Engine) -> None:
    with read(engine) as session:
        assert database_now(session) == pytest.approx(time.time(), abs=5)


def test_the_databases_clock_goes_on_within_a_transaction(engine: Engine) -> None:
    with write(engine) as session:
        first = database_now(session)
        time.sleep(0.02)
        assert database_now(session) > first


def test_a_writer_waits_for_the_other(sqlite_engine: Engine) -> None:
    def count() -> None:
        for _ in range(20):
            with write(sqlite_engine) as session:
                # Read, then write what was read: with a deferred lock this fails or loses counts.
                seen = session.scalar(text("SELECT n FROM counter")) or 0
                session.execute(text("UPDATE counter SET n = :n"), {"n": seen + 1})

    with write(sqlite_engine) as session:
        session.execute(text("CREATE TABLE counter (n INTEGER)"))
        session.execute(text("INSERT INTO counter VALUES (0)"))
    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with read(sqlite_engine) as session:
        assert session.scalar(text("SELECT n FROM counter")) == 80


def test_a_reader_sees_one_state_while_others_write(sqlite_engine: Engine) -> None:
    with write(sqlite_engine) as session:
        JobRuns(session).materialise("tick", NOON)

    with read(sqlite_engine) as reader:
        before = JobRuns(reader).last_fire_time("tick")
        with write(sqlite_engine) as session:
            JobRuns(session).materialise("tick", NOON + timedelta(hours=1))
        assert JobRuns(reader).last_fire_time("tick") == before


def test_each_database_has_its_own_words_for_now(sqlite_engine: Engine) -> None:
    assert "clock_timestamp" in now_sql("postgresql")
    with Session(sqlite_engine) as session:
        assert session.scalar(text(now_sql("sqlite"))) is not None


def test_a_database_in_a_folder_with_blanks_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "a folder é"
    folder.mkdir()
    engine = make_engine(f"sqlite:///{folder}/watchkeeper.db")
    with write(engine) as session:
        session.execute(text("CREATE TABLE notes (words TEXT)"))
    engine.dispose()

    assert (folder / "watchkeeper.db").is_file()
