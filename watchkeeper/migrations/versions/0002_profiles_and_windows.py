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
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(length=100), nullable=False),
        sa.Column("column_name", sa.String(length=500), nullable=False),
        sa.Column("segment", sa.String(length=500), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("old_status", sa.String(length=20), nullable=False),
        sa.Column("new_status", sa.String(length=20), nullable=False),
        sa.Column("old_value", sa.Float(), nullable=True),
        sa.Column("new_value", sa.Float(), nullable=True),
        sa.Column("old_reason", sa.String(), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
    )
    with op.batch_alter_table("corrections", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_corrections_model_window_start"), ["model", "window_start"], unique=False
        )

    op.create_table(
        "dirty_tiles",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("tile_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.PrimaryKeyConstraint("model", "tile_start", name=op.f("pk_dirty_tiles")),
        sa.UniqueConstraint("token", name=op.f("uq_dirty_tiles_token")),
    )
    op.create_table(
        "measurements",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("metric", sa.String(length=100), nullable=False),
        sa.Column("column_name", sa.String(length=500), nullable=False),
        sa.Column("segment", sa.String(length=500), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reference_id", sa.Integer(), nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("p_value", sa.Float(), nullable=True),
        sa.Column("lower", sa.Float(), nullable=True),
        sa.Column("upper", sa.Float(), nullable=True),
        sa.Column("n_reference", sa.Integer(), nullable=False),
        sa.Column("n_current", sa.Integer(), nullable=False),
        sa.Column("family", sa.String(length=20), nullable=False),
        sa.Column("check_name", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("effect", sa.Float(), nullable=True),
        sa.Column("threshold_method", sa.String(length=100), nullable=False),
        sa.Column("limit_lower", sa.Float(), nullable=True),
        sa.Column("limit_upper", sa.Float(), nullable=True),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.PrimaryKeyConstraint(
            "model",
            "window_start",
            "version",
            "metric",
            "column_name",
            "segment",
            name=op.f("pk_measurements"),
        ),
    )
    op.create_table(
        "new_labels",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("writer", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("seen_until", sa.DateTime(timezone=True), nullable=True, comment="event time"),
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
    op.create_table(
        "reference_profiles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("n_rows", sa.Integer(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("bins", sa.JSON(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("performance", sa.JSON(), nullable=False),
        sa.Column("habits", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_profiles")),
        sa.UniqueConstraint(
            "model", "version", "kind", name=op.f("uq_reference_profiles_model_version_kind")
        ),
    )
    op.create_table(
        "windows",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("row_changes", sa.Integer(), nullable=False),
        sa.Column("label_changes", sa.Integer(), nullable=False),
        sa.Column("evaluated_row_changes", sa.Integer(), nullable=True),
        sa.Column("evaluated_label_changes", sa.Integer(), nullable=True),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("labels_mature", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.PrimaryKeyConstraint("model", "window_start", "version", name=op.f("pk_windows")),
    )
    with op.batch_alter_table("windows", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_windows_model_settled_window_end"),
            ["model", "settled", "window_end"],
            unique=False,
        )
