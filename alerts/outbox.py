"""The outbox in the database: what is to be sent, who is sending it, and what became of it.

::

    PENDING -> LEASED -> SENT | AMBIGUOUS | PENDING (later) | DEAD | SUPERSEDED

A lease that runs out leaves its row AMBIGUOUS, never PENDING: the message may have arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Float, Select, and_, bindparam, exists, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session, aliased

from alerts.destinations import Destinations, Limits
from alerts.events import Say
from alerts.keys import delivery_id
from alerts.model import DeliveryKind, Incident, Severity
from alerts.rows import DeliveryRow, DestinationRow
from watchkeeper.database import database_now
from watchkeeper.errors import LeaseLostError


class DeliveryState(StrEnum):
    """Where a message is on its way."""

    PENDING = "pending"
    LEASED = "leased"
    AMBIGUOUS = "ambiguous"
    SENT = "sent"
    DEAD = "dead"
    SUPERSEDED = "superseded"


UNFINISHED = (DeliveryState.PENDING, DeliveryState.LEASED, DeliveryState.AMBIGUOUS)
#: What everything else goes before.
_DIGEST = 5
WAITING = (DeliveryState.PENDING, DeliveryState.AMBIGUOUS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One message on its way.

    Parameters
    ----------
    doubtful
        An earlier attempt may have arrived.
    root
        Channel and ts of the root message, where there is one.
    root_revision
        What the newest root or edit has shown.
    lease_token
        Fencing token: it grows with each lease of the row.
    """

    sequence: int
    id: str
    incident_id: int | None
    digest_id: int | None
    destination: str
    transport: str
    kind: DeliveryKind
    revision: int
    text: str
    mention: bool
    broadcast: bool
    at: datetime
    state: DeliveryState
    attempt: int
    doubtful: bool
    lookups: int
    plain: bool
    possible_repeat: bool
    lease_token: int
    enqueued_at: float
    first_try_at: float | None
    root: tuple[str, str] | None = None
    root_revision: int = 0

    @property
    def address(self) -> str:
        """The destination without its transport: a channel, a URL, …."""
        return self.destination.partition(":")[2]


class Outbox:
    """The deliveries that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._destinations = Destinations(session)

    def enqueue(
        self, incident: Incident, say: Say, *, at: datetime, since: float | None = None
    ) -> None:
        """Order what is to be said about an incident, once per destination.

        An edit replaces an older edit that nobody has begun to send. Whatever comes first to a
        destination opens the thread there.

        Parameters
        ----------
        at
            Event time.
        since
            Wall time from which it counts as waiting; by default now.
        """
        now = database_now(self._session)
        for destination in incident.destinations:
            self._destinations.ensure(destination)
            kind = say.kind if self._knows(destination, incident) else DeliveryKind.ROOT
            row = DeliveryRow(
                id=delivery_id(incident.uid, destination, kind, incident.standing.revision),
                incident_id=incident.id,
                destination=destination,
                transport=destination.partition(":")[0],
                kind=kind,
                revision=incident.standing.revision,
                priority=_priority(self._session, incident, replace(say, kind=kind), destination),
                text=say.text,
                mention=say.mention,
                broadcast=say.broadcast,
                at=at,
                state=DeliveryState.PENDING,
                not_before=now,
                enqueued_at=now if since is None else since,
            )
            self._session.add(row)
            self._session.flush()
            if kind is DeliveryKind.UPDATE:
                self._supersede_edits_before(row)

    def enqueue_digest(
        self, digest_id: int, destinations: Iterable[str], *, key: str, at: datetime
    ) -> None:
        """Order a digest, once per destination; it lets everything else go first.

        Parameters
        ----------
        key
            The same for a digest in every attempt to order it.
        """
        now = database_now(self._session)
        for destination in destinations:
            self._destinations.ensure(destination)
            self._session.add(
                DeliveryRow(
                    id=delivery_id(key, destination, "digest", 0),
                    digest_id=digest_id,
                    destination=destination,
                    transport=destination.partition(":")[0],
                    kind=DeliveryKind.ROOT,
                    revision=0,
                    priority=_DIGEST,
                    text="",
                    mention=False,
                    broadcast=False,
                    at=at,
                    state=DeliveryState.PENDING,
                    not_before=now,
                    enqueued_at=now,
                )
            )
        self._session.flush()

    def _knows(self, destination: str, incident: Incident) -> bool:
        told = select(DeliveryRow.sequence).where(
            DeliveryRow.incident_id == incident.id, DeliveryRow.destination == destination
        )
        return self._session.scalars(told.limit(1)).first() is not None

    def is_empty(self) -> bool:
        """Tell whether nothing waits and nothing is under way."""
        waiting = select(DeliveryRow.sequence).where(DeliveryRow.state.in_(UNFINISHED)).limit(1)
        return self._session.scalars(waiting).first() is None

    def lease(
        self, owner: str, *, seconds: float, limits: Limits, transports: Sequence[str]
    ) -> Delivery | None:
        """Lease the next message that may be sent now by one of ``transports``, or return None.

        Messages of one incident to one destination go strictly one after the other; pages go
        before everything else.
        """
        now = database_now(self._session)
        query = _next(limits, tuple(transports))
        row = self._session.scalars(query, {"now": now}).first()
        if row is None:
            return None
        edit = row.kind == DeliveryKind.UPDATE
        if not self._destinations.take(row.destination, edit=edit, now=now, limits=limits):
            return None
        doubtful = row.state == DeliveryState.AMBIGUOUS or row.doubtful
        row.state = DeliveryState.LEASED
        row.doubtful = doubtful
        row.attempt += 1
        row.lease_owner = owner
        row.lease_token += 1
        row.lease_until = now + seconds
        row.first_try_at = row.first_try_at or now
        self._session.flush()
        return self._to_delivery(row)

    def expire_leases(self) -> int:
        """Declare ambiguous what was leased by workers that have not been heard of."""
        now = database_now(self._session)
        return self._change(
            and_(DeliveryRow.state == DeliveryState.LEASED, DeliveryRow.lease_until < now),
            state=DeliveryState.AMBIGUOUS,
            doubtful=True,
            lookups=0,
            lease_owner=None,
        )

    def release(
        self, delivery: Delivery, *, state: DeliveryState, after: float, **changes: Any
    ) -> None:
        """Give a leased row back, to be looked at again ``after`` seconds from now.

        Raises
        ------
        LeaseLostError
            The lease has passed to another worker.
        """
        not_before = database_now(self._session) + after
        self._settle(delivery, state=state, not_before=not_before, **changes)

    def finish(self, delivery: Delivery, *, state: DeliveryState, **changes: Any) -> None:
        """Close a leased row for good.

        Raises
        ------
        LeaseLostError
            The lease has passed to another worker.
        """
        if state is DeliveryState.SENT:
            changes["sent_at"] = database_now(self._session)
        self._settle(delivery, state=state, **changes)

    def redirect(self, delivery: Delivery, fallback: str, *, error_class: str, why: str) -> None:
        """Send a leased message, and all that follow it in its thread, somewhere else.

        What was tried stays in the ledger as dead. The message opens the new thread.
        """
        self._destinations.ensure(fallback)
        row = self._session.get_one(DeliveryRow, delivery.sequence)
        tombstone = {column.name: getattr(row, column.name) for column in row.__table__.columns}
        del tombstone["sequence"]
        tombstone |= {
            "id": f"{delivery.id}.{delivery.attempt}",
            "state": DeliveryState.DEAD,
            "error_class": error_class,
            "error_text": why,
        }
        self._session.add(DeliveryRow(**tombstone))
        self._settle(
            delivery, state=DeliveryState.PENDING, kind=DeliveryKind.ROOT, doubtful=False, lookups=0
        )
        moved = and_(
            DeliveryRow.incident_id == delivery.incident_id,
            DeliveryRow.digest_id == delivery.digest_id,
            DeliveryRow.destination == delivery.destination,
            DeliveryRow.state.in_(WAITING),
        )
        self._change(moved, destination=fallback, transport=fallback.partition(":")[0])

    def _settle(self, delivery: Delivery, **changes: Any) -> None:
        held = and_(
            DeliveryRow.sequence == delivery.sequence,
            DeliveryRow.state == DeliveryState.LEASED,
            DeliveryRow.lease_token == delivery.lease_token,
        )
        values = {"lease_owner": None, "lease_until": None, **changes}
        if self._change(held, **values) != 1:
            raise LeaseLostError(f"delivery {delivery.id} has passed to another worker")

    def _change(self, condition: ColumnElement[bool], **values: Any) -> int:
        statement = update(DeliveryRow).where(condition).values(**values)
        result = self._session.execute(statement)
        assert isinstance(result, CursorResult)  # noqa: S101  an UPDATE has no other
        return result.rowcount

    def _supersede_edits_before(self, row: DeliveryRow) -> None:
        # An edit that was tried may be on its way; a row that was not has nothing to lose.
        older = and_(
            DeliveryRow.incident_id == row.incident_id,
            DeliveryRow.destination == row.destination,
            DeliveryRow.kind == DeliveryKind.UPDATE,
            DeliveryRow.state == DeliveryState.PENDING,
            DeliveryRow.sequence < row.sequence,
        )
        self._change(older, state=DeliveryState.SUPERSEDED, superseded_by=row.sequence)

    def _to_delivery(self, row: DeliveryRow) -> Delivery:
        thread = and_(
            DeliveryRow.incident_id == row.incident_id,
            DeliveryRow.digest_id == row.digest_id,
            DeliveryRow.destination == row.destination,
            DeliveryRow.state == DeliveryState.SENT,
        )
        root = self._session.scalars(
            select(DeliveryRow)
            .where(thread, DeliveryRow.kind == DeliveryKind.ROOT)
            .order_by(DeliveryRow.sequence.desc())
            .limit(1)
        ).first()
        shown = self._session.scalars(
            select(DeliveryRow.rendered_revision)
            .where(thread)
            .order_by(DeliveryRow.rendered_revision.desc())
            .limit(1)
        ).first()
        known = root is not None and root.channel_id is not None and root.ts is not None
        same = (
            "sequence", "id", "incident_id", "digest_id", "destination", "transport", "revision",
            "text", "mention", "broadcast", "at", "attempt", "doubtful", "lookups", "plain",
            "possible_repeat", "lease_token", "enqueued_at", "first_try_at",
        )  # fmt: skip
        return Delivery(
            **{name: getattr(row, name) for name in same},
            kind=DeliveryKind(row.kind),
            state=DeliveryState(row.state),
            root=(root.channel_id, root.ts) if known else None,  # type: ignore[union-attr,arg-type]
            root_revision=shown or 0,
        )


# To put the query together takes as long as to ask it, and it is asked for every message.
@cache
def _next(limits: Limits, transports: tuple[str, ...]) -> Select[DeliveryRow]:
    now = bindparam("now", type_=Float)
    earlier = aliased(DeliveryRow)
    channel = aliased(DestinationRow)
    workspace = aliased(DestinationRow)
    posts_until = now + limits.ahead(edit=False)
    edits_until = now + limits.ahead(edit=True)
    unfinished_before = exists().where(
        earlier.incident_id == DeliveryRow.incident_id,
        earlier.destination == DeliveryRow.destination,
        earlier.sequence < DeliveryRow.sequence,
        earlier.state.in_(UNFINISHED),
    )
    has_token = or_(
        and_(DeliveryRow.kind == DeliveryKind.UPDATE, workspace.update_at <= edits_until),
        and_(DeliveryRow.kind != DeliveryKind.UPDATE, channel.post_at <= posts_until),
    )
    return (
        select(DeliveryRow)
        .join(channel, channel.id == DeliveryRow.destination)
        .join(workspace, workspace.id == DeliveryRow.transport)
        .where(
            DeliveryRow.state.in_(WAITING),
            DeliveryRow.transport.in_(transports),
            DeliveryRow.not_before <= now,
            channel.not_before <= now,
            workspace.not_before <= now,
            has_token,
            ~unfinished_before,
        )
        .order_by(DeliveryRow.priority, DeliveryRow.sequence)
        .limit(1)
        .with_for_update(of=DeliveryRow, skip_locked=True)
    )


def _priority(session: Session, incident: Incident, say: Say, destination: str) -> int:
    """Return 0 for a destination's first waiting page, 1 for other pages, more for the rest."""
    if say.kind is DeliveryKind.UPDATE:
        return 4
    page = incident.severity is Severity.PAGE
    if say.kind is DeliveryKind.ROOT and page:
        ahead = select(DeliveryRow.sequence).where(
            DeliveryRow.destination == destination,
            DeliveryRow.priority <= 1,
            DeliveryRow.state.in_(UNFINISHED),
        )
        return 0 if session.scalars(ahead.limit(1)).first() is None else 1
    if page and say.mention:
        return 1
    return 2 if say.kind is DeliveryKind.ROOT else 3
