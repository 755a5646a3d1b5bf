"""fleets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "fleet_states",
        sa.Column("fleet", sa.String(length=200), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("carrier", sa.String(length=200), nullable=True),
        sa.Column("last_window", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.PrimaryKeyConstraint("fleet", name=op.f("pk_fleet_states")),
    )
    op.create_table(
        "fleet_windows",
        sa.Column("fleet", sa.String(length=200), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("fleet", "window_start", name=op.f("pk_fleet_windows")),
    )
