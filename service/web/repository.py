"""The table of access tokens."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Float, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from watchkeeper.database import Base

_WALL_TIME = "wall time, database clock"
_VALID = text("revoked_at IS NULL")


class TokenRow(Base):
    """One token by the hash of it; a name has at most one valid token."""

    __tablename__ = "tokens"
    __table_args__ = (
        Index(
            "uq_tokens_valid_name",
            "name",
            unique=True,
            sqlite_where=_VALID,
            postgresql_where=_VALID,
        ),
        CheckConstraint(
            "role IN ('viewer', 'responder', 'operator', 'admin')", name="role_is_known"
        ),
    )

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[float] = mapped_column(Float, comment=_WALL_TIME)
    revoked_at: Mapped[float | None] = mapped_column(Float, comment=_WALL_TIME)
