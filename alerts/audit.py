"""The watch over the watch: prove that whoever should have been told was told, then say so outside.

Each minute the auditor asks the database whether every page has arrived or is on its way within
its allowance, and whoever runs it whether the schedules have fired and its loops still turn. Only
when nothing is wrong is the sign of life sent; its receiver calls people when it stays away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Engine, and_, delete, exists, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, aliased

from alerts.heartbeat import Heartbeat
from alerts.model import LIVE_STATES, DeliveryKind, Severity
from alerts.outbox import UNFINISHED, DeliveryState
from alerts.rows import AuditRow, DeliveryRow, IncidentRow
from monitor.upsert import upsert
from watchkeeper.database import database_now, read, write

log = structlog.get_logger(__name__)

#: Priorities of the outbox that call a person.
_PAGES = 1
#: An auditor that was not heard of for this long does not speak any more.
FRESH = 180.0
_FORGET = 86_400.0
_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    Parameters
    ----------
    kind
        ``page``, ``outbox``, ``lease``, ``schedule``, ``loop``, ``database`` or ``audit``.
    text
        One line for a person; no secrets.
    seconds
        For how long it has been so.
    """

    kind: str
    text: str
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """How long things may take before they are findings, in seconds.

    Parameters
    ----------
    page
        From the order of a page to its arrival.
    message
        The same for every other message.
    lease
        By which a lease may be overdue.
    """

    page: float = 120.0
    message: float = 900.0
    lease: float = 60.0


#: Something else that must hold; what it raises counts as a finding.
Check = Callable[[], Sequence[Finding]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """What the newest audits said, of all processes that do them.

    Parameters
    ----------
    ok
        Whether at least one was made of late and none of late found anything.
    seconds
        Since the newest; None when there was never any.
    """

    ok: bool
    findings: tuple[str, ...] = ()
    seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {"ok": self.ok, "findings": list(self.findings), "seconds": self.seconds}


class Auditor:
    """Audits, and sends the sign of life when all is well.

    Parameters
    ----------
    checks
        What else must hold, beside the deliveries.
    heartbeat
        Where the sign of life goes; None where nobody listens.
    owner
        Name of this process.
    tell
        Called after each audit that was recorded, to tell people whom messages still reach.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        checks: Sequence[Check],
        heartbeat: Heartbeat | None,
        owner: str,
        allowance: Allowance | None = None,
        tell: Callable[[], None] | None = None,
    ) -> None:
        self._engine = engine
        self._checks = checks
        self._heartbeat = heartbeat
        self._owner = owner
        self._allowance = allowance or Allowance()
        self._tell = tell

    def run_once(self) -> int:
        """Audit once, and call outside only if nothing was found; always 0: it may rest now."""
        findings = self.audit()
        for finding in findings:
            log.error("audit_failed", kind=finding.kind, finding=finding.text)
        # Written first: a database that takes no writes must not be vouched for.
        recorded = self._record(findings)
        if recorded and self._tell is not None:
            self._tell()
        if not recorded or findings or self._heartbeat is None:
            return 0
        trouble = self._heartbeat.beat()
        if trouble is not None:
            log.warning("heartbeat_failed", error=trouble)
        return 0

    def audit(self) -> list[Finding]:
        """Return everything that is wrong."""
        try:
            with read(self._engine) as session:
                found = audit_deliveries(session, self._allowance)
        except SQLAlchemyError as exc:
            return [Finding(kind="database", text=f"it cannot be read: {type(exc).__name__}")]
        for check in self._checks:
            try:
                found += check()
            except Exception as exc:
                log.exception("check_failed")
                found.append(Finding(kind="audit", text=f"a check failed: {type(exc).__name__}"))
        return found

    def _record(self, findings: Sequence[Finding]) -> bool:
        try:
            with write(self._engine) as session:
                now = database_now(session)
                session.execute(delete(AuditRow).where(AuditRow.at < now - _FORGET))
                texts = [f"{finding.kind}: {finding.text}" for finding in findings[:_SHOWN]]
                row = {"owner": self._owner, "at": now, "findings": texts}
                upsert(session, AuditRow, [row])
        except SQLAlchemyError:
            log.exception("audit_not_written")
            return False
        return True


def newest_audit(session: Session) -> Audit:
    """Return what the auditors of all processes said of late."""
    now = database_now(session)
    rows = session.scalars(select(AuditRow).order_by(AuditRow.at.desc())).all()
    if not rows:
        return Audit(ok=False, findings=("no audit was ever made",))
    since = round(now - rows[0].at, 1)
    fresh = [row for row in rows if row.at >= now - FRESH]
    if not fresh:
        return Audit(ok=False, findings=(f"no audit for {since:.0f} s",), seconds=since)
    findings = [text for row in fresh for text in row.findings]
    return Audit(ok=not findings, findings=tuple(dict.fromkeys(findings)), seconds=since)


def audit_deliveries(session: Session, allowance: Allowance) -> list[Finding]:
    """Return which pages and messages are late, and which pages nobody will send."""
    now = database_now(session)
    found = [
        Finding(
            kind="page",
            text=f"{_name(incident)} was ordered {seconds:.0f} s ago and has not arrived",
            seconds=seconds,
        )
        for incident, seconds in late_pages(session, now - allowance.page, now)
    ]
    found += [
        Finding(kind="page", text=f"{_name(number)} is open, and no message to anybody is ordered")
        for number in session.scalars(_forgotten())
    ]
    oldest = _oldest(session, DeliveryRow.priority > _PAGES, DeliveryRow.state.in_(UNFINISHED))
    if oldest is not None and now - oldest > allowance.message:
        age = now - oldest
        text = f"its oldest message has waited for {age:.0f} s"
        found.append(Finding(kind="outbox", text=text, seconds=age))
    overdue = session.scalars(
        select(DeliveryRow.lease_owner)
        .where(DeliveryRow.state == DeliveryState.LEASED)
        .where(DeliveryRow.lease_until < now - allowance.lease)
        .distinct()
    )
    found += [
        Finding(kind="lease", text=f"{owner} holds a message and no longer sends it")
        for owner in overdue
    ]
    return found


def late_pages(session: Session, ordered_before: float, now: float) -> list[tuple[int, float]]:
    """Return incident and age in seconds of the pages that were ordered before and still wait.

    A page that has reached somebody by another way since is not late.
    """
    other = aliased(DeliveryRow)
    elsewhere = exists().where(
        other.incident_id == DeliveryRow.incident_id,
        other.kind == DeliveryKind.ROOT,
        other.state == DeliveryState.SENT,
        other.sent_at >= DeliveryRow.enqueued_at,
    )
    rows = session.execute(
        select(DeliveryRow.incident_id, DeliveryRow.enqueued_at)
        .where(DeliveryRow.priority <= _PAGES, DeliveryRow.state.in_(UNFINISHED))
        .where(DeliveryRow.enqueued_at < ordered_before, ~elsewhere)
        .order_by(DeliveryRow.enqueued_at)
    )
    oldest: dict[int, float] = {}
    for incident, enqueued_at in rows:
        if incident is not None:
            oldest.setdefault(incident, now - enqueued_at)
    return list(oldest.items())


def oldest_page(session: Session) -> float:
    """Return how many seconds the oldest page has waited; 0 when none does."""
    now = database_now(session)
    return max((age for _, age in late_pages(session, now, now)), default=0.0)


def _forgotten() -> Any:
    root = and_(
        DeliveryRow.incident_id == IncidentRow.id,
        DeliveryRow.kind == DeliveryKind.ROOT,
        or_(DeliveryRow.state == DeliveryState.SENT, DeliveryRow.state.in_(UNFINISHED)),
    )
    return (
        select(IncidentRow.id)
        .where(IncidentRow.state.in_(LIVE_STATES), IncidentRow.severity == Severity.PAGE)
        .where(IncidentRow.notified, ~exists().where(root))
        .order_by(IncidentRow.id)
    )


def _oldest(session: Session, *conditions: ColumnElement[bool]) -> float | None:
    query = select(DeliveryRow.enqueued_at).where(*conditions)
    return session.scalars(query.order_by(DeliveryRow.enqueued_at).limit(1)).first()


def _name(incident_id: int) -> str:
    return f"INC-{incident_id:04d}"
