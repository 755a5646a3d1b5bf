"""attributions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "attributions",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.PrimaryKeyConstraint("model", "version", "window_start", name=op.f("pk_attributions")),
    )
    op.create_table(
        "reference_samples",
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column("of_rows", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reference_id"],
            ["reference_profiles.id"],
            name=op.f("fk_reference_samples_reference_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("reference_id", name=op.f("pk_reference_samples")),
    )
