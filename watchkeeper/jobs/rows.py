"""The table of scheduled runs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    Float,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from watchkeeper.database import Base, UtcDateTime
from watchkeeper.jobs.model import RunState

WALL = "wall time, database clock"
LONGEST_ERROR = 1000


class RunRow(Base):
    """One fire time of one schedule."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("schedule_id", "fire_time"),
        Index("ix_runs_state_fire_time", "state", "fire_time"),
        Index(
            "uq_runs_one_running_per_schedule",
            "schedule_id",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
        CheckConstraint("state IN ('due', 'running', 'done', 'failed')", name="state_is_known"),
        CheckConstraint(
            "state <> 'running' OR (owner IS NOT NULL AND lease_until IS NOT NULL)",
            name="running_has_a_lease",
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    schedule_id: Mapped[str] = mapped_column(String(200))
    fire_time: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")
    state: Mapped[str] = mapped_column(String(10), default=RunState.DUE)
    owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[float | None] = mapped_column(Float, comment=WALL)
    not_before: Mapped[float] = mapped_column(Float, default=0.0, comment=WALL)
    finished_at: Mapped[float | None] = mapped_column(Float, comment=WALL)
    token: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    max_attempts: Mapped[int] = mapped_column(Integer, default=5)
    error: Mapped[str | None] = mapped_column(String(LONGEST_ERROR))
