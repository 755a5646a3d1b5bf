"""days of profiles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    with op.batch_alter_table("profiles") as table:
        table.add_column(
            sa.Column(
                "rolled_until", sa.DateTime(timezone=True), nullable=True, comment="event time"
            )
        )
