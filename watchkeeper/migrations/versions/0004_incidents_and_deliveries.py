"""incidents and deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "destinations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("not_before", sa.Float(), nullable=False, comment="wall time, database clock"),
        sa.Column("post_at", sa.Float(), nullable=False, comment="wall time, database clock"),
        sa.Column("update_at", sa.Float(), nullable=False, comment="wall time, database clock"),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destinations")),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("slot", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("owner", sa.JSON(), nullable=False),
        sa.Column("destinations", sa.JSON(), nullable=False),
        sa.Column("continues", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("notified", sa.Boolean(), nullable=False),
        sa.Column("notified_members", sa.Integer(), nullable=False),
        sa.Column("prior", sa.String(), nullable=True),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("acked_by", sa.String(), nullable=True),
        sa.Column(
            "ack_expires_at", sa.DateTime(timezone=True), nullable=True, comment="event time"
        ),
        sa.Column("snoozed_by", sa.String(), nullable=True),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("snooze_condition", sa.String(), nullable=True),
        sa.Column("snoozed_effect", sa.Double(), nullable=True),
        sa.Column("mitigation", sa.String(), nullable=True),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.Column("flaps", sa.Integer(), nullable=False),
        sa.Column("reopen_count", sa.Integer(), nullable=False),
        sa.Column("merged_into", sa.Integer(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("verdict_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["continues"], ["incidents.id"], name=op.f("fk_incidents_continues")
        ),
        sa.ForeignKeyConstraint(
            ["merged_into"], ["incidents.id"], name=op.f("fk_incidents_merged_into")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        sa.UniqueConstraint("uid", name=op.f("uq_incidents_uid")),
    )
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incidents_key"), ["key"], unique=False)
        batch_op.create_index(batch_op.f("ix_incidents_model"), ["model"], unique=False)
        batch_op.create_index(
            "uq_incidents_live_key",
            ["key"],
            unique=True,
            sqlite_where=sa.text(
                "state IN ('acked', 'mitigating', 'open', 'pending', 'recovering', 'snoozed')"
            ),
            postgresql_where=sa.text(
                "state IN ('acked', 'mitigating', 'open', 'pending', 'recovering', 'snoozed')"
            ),
        )

    op.create_table(
        "watches",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("slot", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("evaluated", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("model", "slot", name=op.f("pk_watches")),
    )
    op.create_table(
        "deliveries",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("transport", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("mention", sa.Boolean(), nullable=False),
        sa.Column("broadcast", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("doubtful", sa.Boolean(), nullable=False),
        sa.Column("lookups", sa.Integer(), nullable=False),
        sa.Column("plain", sa.Boolean(), nullable=False),
        sa.Column("possible_repeat", sa.Boolean(), nullable=False),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.Column("rendered_revision", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.String(), nullable=True),
        sa.Column("ts", sa.String(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_token", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=True, comment="wall time, database clock"),
        sa.Column("not_before", sa.Float(), nullable=False, comment="wall time, database clock"),
        sa.Column("enqueued_at", sa.Float(), nullable=False, comment="wall time, database clock"),
        sa.Column("first_try_at", sa.Float(), nullable=True, comment="wall time, database clock"),
        sa.Column("sent_at", sa.Float(), nullable=True, comment="wall time, database clock"),
        sa.Column("error_class", sa.String(), nullable=True),
        sa.Column("error_text", sa.Text(), nullable=True),
        sa.Column("superseded_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_deliveries_incident_id")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("id", name=op.f("uq_deliveries_id")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_deliveries_thread", ["incident_id", "destination", "sequence"], unique=False
        )
        batch_op.create_index(
            "ix_deliveries_waiting", ["state", "priority", "sequence"], unique=False
        )

    op.create_table(
        "incident_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="event time"),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("before", sa.String(), nullable=True),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_incident_events_incident_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_events")),
    )
    with op.batch_alter_table("incident_events", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_incident_events_incident_id"), ["incident_id"], unique=False
        )

    op.create_table(
        "series",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("slot", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("check", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("column", sa.String(), nullable=True),
        sa.Column("segment", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True, comment="event time"),
        sa.Column("evaluability", sa.String(), nullable=False),
        sa.Column("base", sa.JSON(), nullable=False),
        sa.Column("judged", sa.JSON(), nullable=False),
        sa.Column(
            "trimmed_before", sa.DateTime(timezone=True), nullable=True, comment="event time"
        ),
        sa.Column("reading", sa.JSON(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_series_incident_id")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_series")),
    )
    with op.batch_alter_table("series", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_series_incident_id"), ["incident_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_series_model"), ["model"], unique=False)
