from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, inspect, text
from sqlalchemy.engine import make_url

from watchkeeper.database import make_engine, read, write
from watchkeeper.errors import DatabaseError
from watchkeeper.migrations import check, differences, upgrade

ROOT = Path(__file__).parents[2]
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


def definitions(engine: Engine) -> dict[str, object]:
    """Return all that the database knows of each table but its comments."""
    tables = inspect(engine)
    return {
        name: [
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in tables.get_columns(name)),
            tables.get_pk_constraint(name)["constrained_columns"],
            by_name(tables.get_foreign_keys(name)),
            by_name(tables.get_unique_constraints(name)),
            by_name(tables.get_check_constraints(name)),
            by_name(tables.get_indexes(name)),
        ]
        for name in tables.get_table_names()
        if name != "alembic_version"
    }


def by_name(items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {item["name"]: str(words(item)) for item in items}


def words(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: words(value[key]) for key in sorted(value)}
    return str(value)


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


def test_the_migrations_make_the_tables_that_the_code_defines(
    empty: Engine, metadata: MetaData
) -> None:
    upgrade(empty)
    assert differences(empty) == []
    migrated = definitions(empty)

    with write(empty) as session:
        metadata.drop_all(session.connection())
        metadata.create_all(session.connection())
    # What Alembic does not compare: checks, and the conditions of partial indexes.
    created = definitions(empty)
    assert migrated.keys() == created.keys()
    for name, definition in created.items():
        assert migrated[name] == definition


def test_only_one_run_of_a_model_may_be_live_on_either_database(empty: Engine) -> None:
    upgrade(empty)

    partial = {
        index["name"]: index["unique"]
        for table in inspect(empty).get_table_names()
        for index in inspect(empty).get_indexes(table)
        if index.get("dialect_options", {}).get(f"{empty.dialect.name}_where") is not None
    }
    assert partial["uq_runs_one_running_per_schedule"]
    assert partial["ux_retrain_runs_one_live_per_model"]
    assert partial["uq_incidents_live_key"]


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
        for _ in range(3)
    ]
    errors = []
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in starting:
        _, error = process.communicate(timeout=60)
        errors.append(error)

    assert errors == [""] * 3
    assert [process.returncode for process in starting] == [0] * 3


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
