"""retraining."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "considered_windows",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("loss", sa.Float(), nullable=True),
        sa.Column("standard_error", sa.Float(), nullable=True),
        sa.Column("drifted", sa.Boolean(), nullable=False),
        sa.Column(
            "considered_at", sa.DateTime(timezone=True), nullable=False, comment="event time"
        ),
        sa.PrimaryKeyConstraint(
            "model", "version", "window_start", "window_end", name=op.f("pk_considered_windows")
        ),
    )
    op.create_table(
        "quarantined_windows",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column(
            "quarantined_at", sa.DateTime(timezone=True), nullable=False, comment="event time"
        ),
        sa.PrimaryKeyConstraint(
            "model", "window_start", "window_end", name=op.f("pk_quarantined_windows")
        ),
    )
    op.create_table(
        "retrain_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("trigger", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("retrain_key", sa.String(length=500), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("fits", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True, comment="wall time, database clock"),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("log_path", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("evaluation", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "state <> 'running' OR (owner IS NOT NULL AND lease_until IS NOT NULL)",
            name=op.f("ck_retrain_runs_running_has_a_lease"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running') OR (finished_at IS NOT NULL AND reason IS NOT NULL)",
            name=op.f("ck_retrain_runs_ended_says_when_and_why"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'refused', 'cancelled')",
            name=op.f("ck_retrain_runs_state_is_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retrain_runs")),
        sa.UniqueConstraint("retrain_key", name=op.f("uq_retrain_runs_retrain_key")),
    )
    with op.batch_alter_table("retrain_runs", schema=None) as batch_op:
        batch_op.create_index("ix_retrain_runs_state_id", ["state", "id"], unique=False)
        batch_op.create_index(
            "ux_retrain_runs_one_live_per_model",
            ["model"],
            unique=True,
            sqlite_where=sa.text("state IN ('queued', 'running')"),
            postgresql_where=sa.text("state IN ('queued', 'running')"),
        )

    op.create_table(
        "policy_states",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("level", sa.Float(), nullable=True),
        sa.Column("spent_until", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("carried", sa.Float(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("useless", sa.Integer(), nullable=False),
        sa.Column("last_run", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["last_run"], ["retrain_runs.id"], name=op.f("fk_policy_states_last_run")
        ),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_policy_states")),
    )
    op.create_table(
        "retrain_decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision_key", sa.String(length=500), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.CheckConstraint(
            "action IN ('not_due', 'queued', 'held', 'escalated')",
            name=op.f("ck_retrain_decisions_action_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["retrain_runs.id"], name=op.f("fk_retrain_decisions_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retrain_decisions")),
        sa.UniqueConstraint("decision_key", name=op.f("uq_retrain_decisions_decision_key")),
    )
    with op.batch_alter_table("retrain_decisions", schema=None) as batch_op:
        batch_op.create_index("ix_retrain_decisions_model_id", ["model", "id"], unique=False)
        batch_op.create_index(
            "ux_retrain_decisions_one_open_hold_per_model",
            ["model"],
            unique=True,
            sqlite_where=sa.text("action = 'held' AND ended_at IS NULL"),
            postgresql_where=sa.text("action = 'held' AND ended_at IS NULL"),
        )
