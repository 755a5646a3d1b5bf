"""The one SQL database: engine, sessions, time types and the database's own clock."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DateTime,
    Dialect,
    Engine,
    MetaData,
    TypeDecorator,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import DeclarativeBase, Session

from watchkeeper.errors import ConfigurationError

#: Fixed names let a migration drop or alter a constraint on either database.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The parent of every table's row class."""

    metadata = MetaData(naming_convention=NAMES)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant; refused when naive, always read back in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive datetime; store the rest in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected an aware datetime, got {value.isoformat()}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the zone back that SQLite does not store."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def make_engine(url: str) -> Engine:
    """Open the database at ``url``: ``sqlite:///path`` or ``postgresql+psycopg://…``.

    SQLite is opened in WAL mode with a busy time-out of 30 s, foreign keys on, and explicit
    transactions, so that several processes on one host may share the file.

    Raises
    ------
    ConfigurationError
        The URL is not one of these two.
    """
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as exc:
        raise ConfigurationError(
            "expected sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME", field="database_url"
        ) from exc
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name != "postgresql":
        raise ConfigurationError(
            f"expected sqlite or postgresql, got {engine.dialect.name}", field="database_url"
        )
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: the "begin" listener says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A read that later writes cannot wait for the lock and fails at once; IMMEDIATE waits first.
    immediate = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


class _Turns:
    """A lock that is given in the order in which it was asked for."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queue: deque[threading.Lock] = deque()
        self._taken = False

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._queue.append(mine)
        mine.acquire()

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._taken = False


# SQLite wakes nobody: who waits looks again each 0.1 s, and finds the lock taken anew by whoever
# writes one transaction after the other. In one process each writer waits for its turn instead.
_TURNS: defaultdict[str, _Turns] = defaultdict(_Turns)


@contextmanager
def write(engine: Engine) -> Iterator[Session]:
    """Open a transaction that will write; commit at the end, roll back on any error."""
    turn = _TURNS[str(engine.url)] if engine.dialect.name == "sqlite" else nullcontext()
    with turn, Session(engine.execution_options(write=True), expire_on_commit=False) as session:
        with session.begin():
            yield session


@contextmanager
def read(engine: Engine) -> Iterator[Session]:
    """Open a transaction that only reads: one consistent view, no lock that others wait for."""
    with Session(engine, expire_on_commit=False) as session:
        yield session


def database_now(session: Session) -> float:
    """Return the database's wall clock, in seconds since 1970.

    Leases, heartbeats and back-off are measured on it, so that the clocks of the hosts, which may
    differ, do not matter.
    """
    value: Any = session.execute(text(now_sql(session.get_bind().dialect.name))).scalar_one()
    return float(value)


def now_sql(dialect: str) -> str:
    """Return the SELECT that reads the wall clock of a ``sqlite`` or ``postgresql`` database.

    SQLite before 3.42 has no ``unixepoch('subsec')``: it gives NULL, and leases would never end.
    """
    if dialect == "sqlite":
        return "SELECT (julianday('now') - 2440587.5) * 86400.0"
    return "SELECT extract(epoch FROM clock_timestamp())::double precision"
