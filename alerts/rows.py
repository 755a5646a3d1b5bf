"""The tables of alerting: what is watched, series, incidents, their history, and the outbox."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from alerts.model import LIVE_STATES
from watchkeeper.database import Base, UtcDateTime

_EVENT_TIME = "event time"
_WALL_TIME = "wall time, database clock"
_LIVE = "state IN ({})".format(", ".join(f"'{state}'" for state in sorted(LIVE_STATES)))


class WatchRow(Base):
    """What has been observed of a model: its version, and the windows that were evaluated."""

    __tablename__ = "watches"

    model: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    evaluated: Mapped[dict[str, Any]] = mapped_column(JSON)


class SeriesRow(Base):
    """One rule on one column or segment of a model; there is a row once it has breached."""

    __tablename__ = "series"

    key: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    slot: Mapped[str]
    family: Mapped[str]
    check: Mapped[str]
    metric: Mapped[str]
    column: Mapped[str | None]
    segment: Mapped[str | None]
    version: Mapped[int]
    state: Mapped[str]
    since: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    evaluability: Mapped[str]
    base: Mapped[dict[str, Any]] = mapped_column(JSON)
    judged: Mapped[list[Any]] = mapped_column(JSON)
    trimmed_before: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    reading: Mapped[dict[str, Any]] = mapped_column(JSON)
    effect: Mapped[float] = mapped_column(Float, default=0.0)
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"))

    __table_args__ = (Index("ix_series_members", "incident_id", "state", "effect"),)


class IncidentRow(Base):
    """One trouble; at most one row per key is live."""

    __tablename__ = "incidents"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str] = mapped_column(index=True)
    model: Mapped[str] = mapped_column(index=True)
    slot: Mapped[str]
    family: Mapped[str]
    scope: Mapped[str]
    summary: Mapped[str] = mapped_column(Text)
    columns: Mapped[list[str]] = mapped_column(JSON)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    owner: Mapped[dict[str, Any]] = mapped_column(JSON)
    destinations: Mapped[list[str]] = mapped_column(JSON)
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    continues: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    detected_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    # From here on the fields of a standing, under their own names.
    state: Mapped[str]
    severity: Mapped[str]
    revision: Mapped[int]
    notified: Mapped[bool]
    notified_members: Mapped[int]
    prior: Mapped[str | None]
    provisional: Mapped[bool]
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    acked_by: Mapped[str | None]
    ack_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    snoozed_by: Mapped[str | None]
    snoozed_until: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    snooze_condition: Mapped[str | None]
    snoozed_effect: Mapped[float | None]
    mitigation: Mapped[str | None]
    deadline: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    resolution: Mapped[str | None]
    flaps: Mapped[int]
    reopen_count: Mapped[int]
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"))
    verdict: Mapped[str | None]
    verdict_by: Mapped[str | None]
    called_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    level: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        Index(
            "uq_incidents_live_key",
            "key",
            unique=True,
            sqlite_where=text(_LIVE),
            postgresql_where=text(_LIVE),
        ),
    )


class IncidentEventRow(Base):
    """One entry of an incident's history; written once, never changed."""

    __tablename__ = "incident_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), index=True)
    revision: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    actor: Mapped[str]
    event: Mapped[str]
    before: Mapped[str | None]
    after: Mapped[str]
    reason: Mapped[str] = mapped_column(Text)


class DestinationRow(Base):
    """A channel, or a whole transport, with what holds its messages back.

    A transport such as ``slack`` has a row too: a dead token or a limit of the whole workspace
    holds back all of its channels.
    """

    __tablename__ = "destinations"

    id: Mapped[str] = mapped_column(primary_key=True)
    not_before: Mapped[float] = mapped_column(Float, default=0.0, comment=_WALL_TIME)
    post_at: Mapped[float] = mapped_column(Float, default=0.0, comment=_WALL_TIME)
    update_at: Mapped[float] = mapped_column(Float, default=0.0, comment=_WALL_TIME)
    failures: Mapped[int] = mapped_column(default=0)
    trouble: Mapped[str | None]


class DigestRow(Base):
    """A team's digest of one of its days; ``content`` is None when there was nothing to say."""

    __tablename__ = "digests"

    id: Mapped[int] = mapped_column(primary_key=True)
    team: Mapped[str]
    day: Mapped[date]
    at: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    __table_args__ = (UniqueConstraint("team", "day"),)


class CalendarRow(Base):
    """The newest copy of a team's calendar of duties, for when it cannot be fetched."""

    __tablename__ = "calendars"

    team: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[str | None] = mapped_column(Text)
    fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    tried_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    trouble: Mapped[str | None]


class DeliveryRow(Base):
    """One message on its way: the outbox, and afterwards the ledger of what was sent.

    It is about an incident or about a digest.
    """

    __tablename__ = "deliveries"

    sequence: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"))
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("digests.id"))
    destination: Mapped[str]
    transport: Mapped[str]
    kind: Mapped[str]
    revision: Mapped[int]
    priority: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    mention: Mapped[bool]
    broadcast: Mapped[bool]
    at: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    state: Mapped[str]
    attempt: Mapped[int] = mapped_column(default=0)
    doubtful: Mapped[bool] = mapped_column(default=False)
    lookups: Mapped[int] = mapped_column(default=0)
    plain: Mapped[bool] = mapped_column(default=False)
    possible_repeat: Mapped[bool] = mapped_column(default=False)
    adopted: Mapped[bool] = mapped_column(default=False)
    rendered_revision: Mapped[int] = mapped_column(default=0)
    channel_id: Mapped[str | None]
    ts: Mapped[str | None]
    lease_owner: Mapped[str | None]
    lease_token: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None] = mapped_column(Float, comment=_WALL_TIME)
    not_before: Mapped[float] = mapped_column(Float, comment=_WALL_TIME)
    enqueued_at: Mapped[float] = mapped_column(Float, comment=_WALL_TIME)
    first_try_at: Mapped[float | None] = mapped_column(Float, comment=_WALL_TIME)
    sent_at: Mapped[float | None] = mapped_column(Float, comment=_WALL_TIME)
    error_class: Mapped[str | None]
    error_text: Mapped[str | None] = mapped_column(Text)
    superseded_by: Mapped[int | None]
    backed_up_at: Mapped[float | None] = mapped_column(Float, comment=_WALL_TIME)

    __table_args__ = (
        Index("ix_deliveries_waiting", "state", "priority", "sequence"),
        Index("ix_deliveries_thread", "incident_id", "destination", "sequence"),
    )


class AuditRow(Base):
    """What the newest audit of one process found wrong; nothing, when all is well."""

    __tablename__ = "audits"

    owner: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[float] = mapped_column(Float, comment=_WALL_TIME)
    findings: Mapped[list[str]] = mapped_column(JSON)


class ChartRow(Base):
    """A chart for a thread: one on each occasion, whoever draws it.

    ``file_id`` is known before the file is shown, so that it is never shown twice.
    """

    __tablename__ = "charts"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"))
    destination: Mapped[str]
    occasion: Mapped[str]
    channel_id: Mapped[str]
    ts: Mapped[str]
    state: Mapped[str]
    attempt: Mapped[int]
    lease_until: Mapped[float | None] = mapped_column(Float, comment=_WALL_TIME)
    file_id: Mapped[str | None]

    __table_args__ = (UniqueConstraint("incident_id", "destination", "occasion"),)


class DrillRow(Base):
    """A drill: what was done to a copy, and how long it took until somebody answered."""

    __tablename__ = "drills"

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    faults: Mapped[list[str]] = mapped_column(JSON)
    by: Mapped[str]
    started_at: Mapped[float] = mapped_column(Float, comment=_WALL_TIME)
    found_after: Mapped[float | None] = mapped_column(Float, comment="seconds")
    accepted_after: Mapped[float | None] = mapped_column(Float, comment="seconds")
    acked_at: Mapped[float | None] = mapped_column(Float, comment=_WALL_TIME)
    acked_by: Mapped[str | None]
    held: Mapped[bool | None]


class ClickRow(Base):
    """A press of a button; its key lets the same press count once."""

    __tablename__ = "clicks"

    key: Mapped[str] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), index=True)
    actor: Mapped[str]
    user: Mapped[str | None]
    action: Mapped[str]
    refused: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)


class SlackLinkRow(Base):
    """Who a Slack user is here, and what that person may do."""

    __tablename__ = "slack_links"

    user: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    linked_by: Mapped[str]
    linked_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)


class SilenceRow(Base):
    """A time in which some findings open no new message; None matches everything."""

    __tablename__ = "silences"

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str | None]
    family: Mapped[str | None]
    column: Mapped[str | None]
    reason: Mapped[str] = mapped_column(Text)
    author: Mapped[str]
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
    until: Mapped[datetime] = mapped_column(UtcDateTime, comment=_EVENT_TIME)
