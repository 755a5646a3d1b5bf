"""profiles and windows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "dirty_tiles",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("tile_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.PrimaryKeyConstraint("model", "tile_start", name=op.f("pk_dirty_tiles")),
    )
    op.create_table(
        "new_labels",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("writer", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.PrimaryKeyConstraint("model", "writer", "sequence", name=op.f("pk_new_labels")),
    )
    with op.batch_alter_table("new_labels", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_new_labels_model_marked_at"), ["model", "marked_at"], unique=False
        )

    op.create_table(
        "profiles",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tile_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("segment", sa.String(length=500), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.PrimaryKeyConstraint(
            "model", "version", "tile_start", "segment", name=op.f("pk_profiles")
        ),
    )
