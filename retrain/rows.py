"""The tables of retraining: runs, decisions, quarantine, and what policies remember."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from retrain.model import Action, RunState
from watchkeeper.database import Base, UtcDateTime

EVENT = "event time"
WALL = "wall time, database clock"
_STATES = ", ".join(f"'{state}'" for state in RunState)
_ACTIONS = ", ".join(f"'{action}'" for action in Action)
_IS_LIVE = text("state IN ('queued', 'running')")
_IS_OPEN_HOLD = text("action = 'held' AND ended_at IS NULL")


class RetrainRunRow(Base):
    """One attempt to make a better version; at most one per model is live."""

    __tablename__ = "retrain_runs"
    __table_args__ = (
        UniqueConstraint("retrain_key"),
        Index(
            "ux_retrain_runs_one_live_per_model",
            "model",
            unique=True,
            sqlite_where=_IS_LIVE,
            postgresql_where=_IS_LIVE,
        ),
        Index("ix_retrain_runs_state_id", "state", "id"),
        CheckConstraint(f"state IN ({_STATES})", name="state_is_known"),
        CheckConstraint(
            "state <> 'running' OR (owner IS NOT NULL AND lease_until IS NOT NULL)",
            name="running_has_a_lease",
        ),
        CheckConstraint(
            "state IN ('queued', 'running') OR (finished_at IS NOT NULL AND reason IS NOT NULL)",
            name="ended_says_when_and_why",
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(10), default=RunState.QUEUED)
    trigger: Mapped[str] = mapped_column(String(20))
    cause: Mapped[str] = mapped_column(String)
    retrain_key: Mapped[str] = mapped_column(String(500))
    requested_by: Mapped[str] = mapped_column(String(200))
    seed: Mapped[int] = mapped_column(Integer)
    fits: Mapped[int] = mapped_column(Integer, default=1)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=EVENT)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=EVENT)
    owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[float | None] = mapped_column(Float, comment=WALL)
    token: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    cancel_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    log_path: Mapped[str | None] = mapped_column(String)
    version: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None] = mapped_column(String)
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    evaluation: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class RetrainDecisionRow(Base):
    """A decision other than "not due"; a hold stays open until the input is whole again."""

    __tablename__ = "retrain_decisions"
    __table_args__ = (
        UniqueConstraint("decision_key"),
        Index(
            "ux_retrain_decisions_one_open_hold_per_model",
            "model",
            unique=True,
            sqlite_where=_IS_OPEN_HOLD,
            postgresql_where=_IS_OPEN_HOLD,
        ),
        Index("ix_retrain_decisions_model_id", "model", "id"),
        CheckConstraint(f"action IN ({_ACTIONS})", name="action_is_known"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    decision_key: Mapped[str] = mapped_column(String(500))
    model: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer)
    window_start: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)
    window_end: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)
    action: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(String)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("retrain_runs.id"))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=EVENT)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=EVENT)


class QuarantinedWindowRow(Base):
    """A window whose rows are neither judged nor trained on nor held out."""

    __tablename__ = "quarantined_windows"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True, comment=EVENT)
    window_end: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True, comment=EVENT)
    reason: Mapped[str] = mapped_column(String)
    quarantined_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)


class ConsideredWindowRow(Base):
    """The newest revision of an evaluated window, as the policies see it."""

    __tablename__ = "considered_windows"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    window_start: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True, comment=EVENT)
    window_end: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True, comment=EVENT)
    revision: Mapped[int] = mapped_column(Integer)
    labels: Mapped[int] = mapped_column(Integer)
    loss: Mapped[float | None] = mapped_column(Float)
    standard_error: Mapped[float | None] = mapped_column(Float)
    drifted: Mapped[bool] = mapped_column(Boolean)
    considered_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)


class PolicyStateRow(Base):
    """What a model's policy remembers between windows."""

    __tablename__ = "policy_states"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    level: Mapped[float | None] = mapped_column(Float)
    spent_until: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=EVENT)
    carried: Mapped[float] = mapped_column(Float, default=0.0)
    attempted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=EVENT)
    useless: Mapped[int] = mapped_column(Integer, default=0)
    last_run: Mapped[int | None] = mapped_column(ForeignKey("retrain_runs.id"))
