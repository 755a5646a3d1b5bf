"""behind fleet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    with op.batch_alter_table("fleet_states", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tracks", sa.JSON(none_as_null=True), nullable=True))
