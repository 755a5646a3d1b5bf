"""What Alembic runs a migration in: the connection of the caller, and the tables in its memory."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from watchkeeper.database import Base, UtcDateTime


def render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write our own types as what they are to the database: code may move, migrations may not."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_server_default=True,
    # SQLite cannot alter a column: a batch copies the table instead.
    render_as_batch=True,
    render_item=render,
)
with context.begin_transaction():
    context.run_migrations()
