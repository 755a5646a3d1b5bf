"""labels without a prediction."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "unmatched_labels",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("prediction_id", sa.String(length=200), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.PrimaryKeyConstraint("model", "prediction_id", name=op.f("pk_unmatched_labels")),
    )
