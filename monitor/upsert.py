"""Insert rows, or overwrite those that are there, by primary key and on either database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from watchkeeper.database import Base

#: Rows per statement; SQLite allows 32,766 bound values in one.
_BATCH = 500


def upsert(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``rows``, all with the same keys; a row whose primary key exists is overwritten.

    Rows are written in the order of their keys, so that two transactions that write the same rows
    wait for each other instead of locking each other out.
    """
    key = [column.name for column in table.__table__.primary_key]
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in key))
    for start in range(0, len(ordered), _BATCH):
        _write(session, table, key, ordered[start : start + _BATCH])


def _write(
    session: Session, table: type[Base], key: list[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table).values([dict(row) for row in rows])
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    session.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))
