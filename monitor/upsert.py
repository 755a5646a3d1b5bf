"""Insert rows, or overwrite those that are there, by primary key and on either database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from watchkeeper.database import Base


def upsert(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``rows``, all with the same keys; a row whose primary key exists is overwritten.

    Rows are written in the order of their keys, so that two transactions that write the same rows
    wait for each other instead of locking each other out.
    """
    if not rows:
        return
    key = [column.name for column in table.__table__.primary_key]
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in key))
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    # Of the table, not of its class: the session need not look at each row.
    statement = insert(cast(Table, table.__table__))
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    # One statement with many sets of values: its text does not depend on how many there are.
    session.execute(
        statement.on_conflict_do_update(index_elements=key, set_=changed),
        [dict(row) for row in ordered],
    )
