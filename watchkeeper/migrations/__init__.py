"""Bring the database to this release's schema, and say so when it is of another release."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from watchkeeper.database import Base
from watchkeeper.errors import DatabaseError

#: Number of the advisory lock that upgrades of one PostgreSQL database wait for.
LOCK = 0x77617463686B
HERE = Path(__file__).parent


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest schema; several processes may try at once.

    All steps are one transaction: a database is at the old schema or at the new one. The folder
    of an SQLite file is made when it is missing.

    Raises
    ------
    DatabaseError
        It cannot be opened, is of a newer release, or holds tables of something else.
    """
    _make_folder(engine)
    with _readable_errors(engine), _transaction(engine) as connection:
        _refuse_newer(engine, _revision(connection))
        command.upgrade(_config(connection), "head")


def check(engine: Engine) -> None:
    """Refuse a database that is not at this release's schema.

    Raises
    ------
    DatabaseError
        It cannot be opened, or is of an older or newer release.
    """
    name = engine.url.database
    if engine.dialect.name == "sqlite" and name and not Path(name).exists():
        raise DatabaseError(f"{_name(engine)}: the database is empty; run `watchkeeper db upgrade`")
    with _readable_errors(engine), engine.connect() as connection:
        revision = _revision(connection)
    _refuse_newer(engine, revision)
    if revision != _scripts().get_current_head():
        raise DatabaseError(
            f"{_name(engine)}: the database is of an older release; run `watchkeeper db upgrade`"
            if revision
            else f"{_name(engine)}: the database is empty; run `watchkeeper db upgrade`"
        )


def differences(engine: Engine) -> list[str]:
    """Return where the database differs from the tables that the imported modules define.

    For development: import every room's tables first.
    """
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return [repr(difference) for difference in compare_metadata(context, Base.metadata)]


def generate(engine: Engine, message: str) -> Path:
    """Write the migration that closes ``differences``, and return its file.

    For development: import every room's tables first, read what was written, and try it.

    Parameters
    ----------
    engine
        A database at the newest schema.
    message
        What changes, in a few words; the file is named after it.
    """
    number = f"{len(list(_scripts().walk_revisions())) + 1:04d}"
    with engine.connect() as connection:
        command.revision(_config(connection), message, autogenerate=True, rev_id=number)
    return next((HERE / "versions").glob(f"{number}_*.py"))


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None))


def _config(connection: Connection | None) -> Config:
    config = Config(attributes={"connection": connection})
    # A percent sign in the path would be taken for a reference to another option.
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(engine: Engine, revision: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseError(
            f"{_name(engine)}: the database is of a newer release (schema {revision}, "
            f"here {max(known)}); install that release, or restore a backup"
        )


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with engine.execution_options(write=True).connect() as connection:
        if engine.dialect.name == "postgresql":
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
                yield connection
            return
        # SQLite changes a table by copying it, and dropping the old one would take along every
        # row that refers to it. The setting has no effect inside a transaction.
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - an open connection has one
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                _refuse_dangling(engine, connection)
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _refuse_dangling(engine: Engine, connection: Connection) -> None:
    dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if dangling is not None:
        raise DatabaseError(
            f"{_name(engine)}: a row of {dangling[0]} refers to a missing row of {dangling[2]}"
        )


@contextmanager
def _readable_errors(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as exc:
        words = next((line.strip() for line in str(exc.orig).splitlines() if line.strip()), "")
        raise DatabaseError(f"{_name(engine)}: {words}") from exc


def _make_folder(engine: Engine) -> None:
    file = engine.url.database
    if engine.dialect.name != "sqlite" or not file or file == ":memory:":
        return
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DatabaseError(f"{file}: cannot make its folder: {exc.strerror}") from exc


def _name(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
