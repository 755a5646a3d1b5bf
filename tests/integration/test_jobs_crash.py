"""Workers that die or freeze: each effect is committed once all the same."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from watchkeeper.database import write
from watchkeeper.jobs.repository import JobRuns

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SLOTS = 24


@pytest.mark.crash
def test_each_effect_is_committed_once_though_workers_die_and_freeze(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    with write(engine) as session:
        session.execute(text("CREATE TABLE effects (slot TEXT, token INTEGER, name TEXT)"))
        session.execute(text("CREATE TABLE lost (name TEXT)"))
        for slot in range(SLOTS):
            JobRuns(session).materialise(f"slot:{slot}", NOON + slot * HOUR)

    with workers(database_url, tmp_path) as (killed, frozen, others):
        wait_for(tmp_path / "killed", tmp_path / "frozen")
        killed.kill()
        freeze(engine, frozen)
        others += [worker(database_url, name, "1", "0.02") for name in ("third", "fourth")]
        wait_until(lambda: count(engine, "effects") == SLOTS)
        frozen.send_signal(signal.SIGCONT)
        assert [process.wait(30) for process in (frozen, *others)] == [0, 0, 0]

    with Session(engine) as session:
        slots = session.scalars(text("SELECT slot FROM effects")).all()
        lost = session.scalars(text("SELECT name FROM lost")).all()
    assert len(slots) == SLOTS
    assert len(set(slots)) == SLOTS
    assert lost == ["frozen"]


@contextmanager
def workers(
    url: str, tmp_path: Path
) -> Iterator[
    tuple[subprocess.Popen[bytes], subprocess.Popen[bytes], list[subprocess.Popen[bytes]]]
]:
    killed = worker(url, "killed", "1", "0.02", str(tmp_path / "killed"))
    frozen = worker(url, "frozen", "1", "0.02", str(tmp_path / "frozen"))
    others: list[subprocess.Popen[bytes]] = []
    try:
        yield killed, frozen, others
    finally:
        for process in (killed, frozen, *others):
            process.kill()
            process.wait()


def worker(*arguments: str) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("jobs_worker.py")
    return subprocess.Popen([sys.executable, str(script), *arguments])


def freeze(engine: Engine, process: subprocess.Popen[bytes]) -> None:
    # Stopped within a heartbeat it would hold a lock: let it go on for a moment and try again.
    for _ in range(50):
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        if unlocked(engine):
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)
    pytest.fail("the worker holds a lock whenever it is stopped")


def unlocked(engine: Engine) -> bool:
    if engine.dialect.name == "postgresql":
        held = "SELECT count(*) FROM pg_locks WHERE mode = 'RowExclusiveLock'"
        return count(engine, f"({held}) AS held WHERE held.count > 0") == 0
    with closing(sqlite3.connect(str(engine.url.database), timeout=0.2)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
    return True


def count(engine: Engine, table: str) -> int:
    with Session(engine) as session:
        return session.scalar(text(f"SELECT count(*) FROM {table}")) or 0


def wait_for(*paths: Path) -> None:
    wait_until(lambda: all(path.exists() for path in paths))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "nothing happened for a minute"
        time.sleep(0.05)
