"""what is usual in references."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    with op.batch_alter_table("reference_profiles", schema=None) as batch_op:
        batch_op.add_column(sa.Column("usual", sa.JSON(none_as_null=True), nullable=True))
