"""seasons of references."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "reference_seasons",
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column("season", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reference_id"],
            ["reference_profiles.id"],
            name=op.f("fk_reference_seasons_reference_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("reference_id", "season", name=op.f("pk_reference_seasons")),
    )
    with op.batch_alter_table("reference_profiles", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seasons", sa.JSON(none_as_null=True), nullable=True))
