from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import make_url

from watchkeeper.database import make_engine, read, write
from watchkeeper.errors import DatabaseError
from watchkeeper.migrations import check, upgrade

UPGRADE = """
import sys
from watchkeeper.database import make_engine
from watchkeeper.migrations import upgrade
sys.stdin.readline()
upgrade(make_engine(sys.argv[1]))
"""


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Engine]:
    engine = make_engine(empty_database_url)
    yield engine
    engine.dispose()


def refusal(engine: Engine) -> str:
    """Return what ``upgrade`` refuses the database with; one line, without the password."""
    with pytest.raises(DatabaseError) as caught:
        upgrade(engine)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def set_revision(engine: Engine, revision: str) -> None:
    with write(engine) as session:
        session.execute(
            text("UPDATE alembic_version SET version_num = :revision"), [{"revision": revision}]
        )


def test_an_empty_database_gets_every_table(empty: Engine) -> None:
    upgrade(empty)

    check(empty)
    tables = inspect(empty).get_table_names()
    assert {"model_versions", "deployments", "runs", "profiles", "incidents"} < set(tables)


def test_an_upgrade_may_be_repeated(empty: Engine) -> None:
    upgrade(empty)
    upgrade(empty)

    check(empty)


def test_processes_that_start_at_once_do_not_collide(empty_database_url: str) -> None:
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, empty_database_url],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    errors = []
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in starting:
        _, error = process.communicate(timeout=60)
        errors.append(error)

    assert errors == [""] * 4
    assert [process.returncode for process in starting] == [0] * 4


def test_a_database_of_a_newer_release_is_refused(empty: Engine) -> None:
    upgrade(empty)
    set_revision(empty, "9999")

    assert "of a newer release (schema 9999, here 0" in refusal(empty)
    with pytest.raises(DatabaseError, match="of a newer release"):
        check(empty)


def test_a_database_of_an_older_release_asks_for_an_upgrade(empty: Engine) -> None:
    upgrade(empty)
    set_revision(empty, "0001")

    with pytest.raises(DatabaseError, match="of an older release; run `watchkeeper db upgrade`"):
        check(empty)


def test_an_empty_database_asks_for_an_upgrade(empty: Engine) -> None:
    with pytest.raises(DatabaseError, match="the database is empty; run `watchkeeper db upgrade`"):
        check(empty)


def test_a_database_of_something_else_is_left_alone(empty: Engine) -> None:
    with write(empty) as session:
        session.execute(text("CREATE TABLE runs (distance INTEGER)"))
        session.execute(text("INSERT INTO runs VALUES (42)"))

    assert "already exists" in refusal(empty)
    assert inspect(empty).get_table_names() == ["runs"]
    with read(empty) as session:
        assert session.scalar(text("SELECT distance FROM runs")) == 42


def test_the_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/new/state/watchkeeper.db")
    upgrade(engine)
    engine.dispose()

    assert (tmp_path / "new" / "state" / "watchkeeper.db").is_file()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database, but long enough to have a header" * 100)
    engine = make_engine(f"sqlite:///{tmp_path}/notes.db")

    assert "notes.db: file is not a database" in refusal(engine)
    engine.dispose()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = make_engine(f"sqlite:///{tmp_path}/file/state/watchkeeper.db")

    assert "cannot make its folder: Not a directory" in refusal(engine)


def test_a_server_that_is_away_is_named_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://ann:hunter2@/watch?host={tmp_path}"
    assert make_url(url).password == "hunter2"

    error = refusal(make_engine(url))
    assert "ann:***@" in error
    assert "hunter2" not in error
