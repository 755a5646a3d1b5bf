"""What a delivery says: the incident or digest as it stands now, in the words of every channel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from alerts.block_kit import problems
from alerts.channels.outcome import Parcel
from alerts.digest_model import Digest, render_digest, tell_digest
from alerts.message import Message, View, render, render_plain, render_reply
from alerts.model import LIVE_STATES, DeliveryKind, Incident, Severity
from alerts.outbox import Delivery
from alerts.plan import Duty
from alerts.repository import Incidents, SeriesStore
from alerts.rows import DigestRow
from alerts.story import Story, bare, tell
from alerts.wording import delayed
from monitor.burn import burn_since
from monitor.model import Family
from monitor.performance.burn import Burn
from watchkeeper.database import database_now

log = structlog.get_logger(__name__)

#: Says who of a team is on call now.
OnDuty = Callable[[Session, str], Duty | None]

_LATE = 120.0


def nobody(session: Session, team: str) -> None:
    """Say that nobody is on call: there are no duties."""
    del session, team


def compose(
    session: Session,
    delivery: Delivery,
    *,
    public_url: str | None = None,
    interactive: bool = False,
    on_duty: OnDuty = nobody,
) -> Parcel | None:
    """Return what is to be sent now, or None when it has been shown already.

    Messages are written when they are sent: whatever has changed since they were ordered is in
    them.

    Raises
    ------
    LookupError
        The delivery is about nothing that there is.
    """
    now = database_now(session)
    if delivery.digest_id is not None:
        return _digest(session, delivery, now, public_url)
    incident = (
        None if delivery.incident_id is None else Incidents(session).get(delivery.incident_id)
    )
    if incident is None:
        raise LookupError(f"delivery {delivery.id} is about no incident")
    kind = DeliveryKind.ROOT if delivery.root is None else delivery.kind
    if kind is DeliveryKind.UPDATE and delivery.root_revision >= incident.standing.revision:
        return None
    roll = SeriesStore(session).roll_call(incident.id)
    page = incident.severity is Severity.PAGE and incident.state in LIVE_STATES
    view = View(
        incident=incident,
        members=[series.as_member() for series in roll.worst],
        firing=roll.lasting,
        total=roll.members,
        public_url=public_url,
        interactive=interactive,
        remark=_remark(delivery, now),
        news=delivery.text if kind is DeliveryKind.ROOT else "",
        duty=_duty(session, on_duty, incident) if page else None,
        burn=_burn(session, incident),
    )
    return Parcel(
        delivery_id=delivery.id,
        kind=kind,
        address=delivery.address,
        message=_render(delivery, kind, view),
        root=None if kind is DeliveryKind.ROOT else delivery.root,
        broadcast=delivery.broadcast,
        first_try_at=delivery.first_try_at or now,
        labels={
            "incident_id": incident.id,
            "revision": incident.standing.revision,
            "kind": str(kind),
        },
        story=_tell(delivery, view),
        mention=delivery.mention,
    )


def _digest(session: Session, delivery: Delivery, now: float, public_url: str | None) -> Parcel:
    row = session.get(DigestRow, delivery.digest_id)
    if row is None or row.content is None:
        raise LookupError(f"delivery {delivery.id} is about no digest")
    digest, remark = Digest.from_dict(row.content), _remark(delivery, now)
    message = render_digest(digest, public_url=public_url, remark=remark)
    wrong = delivery.plain or problems(message.text, message.blocks)
    return Parcel(
        delivery_id=delivery.id,
        kind=DeliveryKind.ROOT,
        address=delivery.address,
        message=Message(text=message.text) if wrong else message,
        first_try_at=delivery.first_try_at or now,
        labels={"digest_id": row.id, "revision": 0, "kind": "digest"},
        story=tell_digest(digest, public_url=public_url, remark=remark),
    )


def _burn(session: Session, incident: Incident) -> Burn | None:
    if incident.family is not Family.PERFORMANCE:
        return None
    until = None if incident.is_live else incident.facts.window_end
    return burn_since(session, incident.model, incident.started_at, until=until)


def _duty(session: Session, on_duty: OnDuty, incident: Incident) -> Duty | None:
    try:
        return on_duty(session, incident.owner.team)
    except Exception:
        # Who is on call is good to know; that something is wrong must be told without it.
        log.exception("duty_unknown", team=incident.owner.team)
        return None


def _remark(delivery: Delivery, now: float) -> str:
    late = now - delivery.enqueued_at
    remarks = []
    if late > _LATE and delivery.kind is not DeliveryKind.UPDATE:
        remarks.append(delayed(timedelta(seconds=late), delivery.transport))
    if delivery.possible_repeat:
        remarks.append("possible repeat")
    return "; ".join(remarks)


def _render(delivery: Delivery, kind: DeliveryKind, view: View) -> Message:
    if kind is DeliveryKind.REPLY:
        return render_reply(view, delivery.text, mention=delivery.mention)
    if delivery.plain:
        return render_plain(view)
    try:
        return render(view)
    except Exception:
        # An alert is never lost to its formatting.
        log.exception("render_failed", incident=view.incident.name)
        return render_plain(view)


def _tell(delivery: Delivery, view: View) -> Story:
    if delivery.plain:
        return bare(view, news=delivery.text)
    try:
        return tell(view, news=delivery.text)
    except Exception:
        log.exception("render_failed", incident=view.incident.name)
        return bare(view, news=delivery.text)
