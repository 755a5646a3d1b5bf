"""The service as its own patient: what the auditors find becomes one incident, where it is heard.

The sign of life that stays away is the alarm; this is for those whom the messages still reach. It
is not opened while messages do not arrive, for then nobody would hear of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from alerts import events
from alerts.audit import newest_audit
from alerts.desk import Desk
from alerts.keys import incident_key
from alerts.model import PRODUCTION, SELF, Facts, Incident, Owner, Severity, Standing
from alerts.plan import Plan
from alerts.repository import Incidents
from alerts.routing import DEFAULT_CHANNEL, Routing
from monitor.model import Family
from watchkeeper.database import write

log = structlog.get_logger(__name__)

#: Stands where the incident would name its model.
THE_SERVICE = "the service itself"
#: It must have lasted this long: what a start or a slow minute leaves behind is told to nobody.
_PATIENCE = timedelta(seconds=45)
#: It must have been clean for this long, so that a hiccup opens and ends nothing twice.
_HOLD = timedelta(minutes=5)
_REOPEN = timedelta(days=3)
#: Findings that mean that nobody would hear of any.
_UNHEARD = ("page:", "outbox:", "database:", "loop: deliver")
_SHOWN = 3


class SelfWatch:
    """Opens, describes and ends the incident of the service itself.

    Parameters
    ----------
    now
        Tells event time.
    """

    def __init__(self, engine: Engine, routing: Routing, *, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._routing = routing
        self._now = now

    def __call__(self) -> None:
        """Follow what the auditors of all processes found of late."""
        try:
            with write(self._engine) as session:
                follow(session, self._routing, now=self._now())
        except SQLAlchemyError:
            # Another auditor was faster, or the database is the trouble: the next audit will see.
            log.exception("audit_not_told")


def follow(session: Session, routing: Routing, *, now: datetime) -> Incident | None:
    """Bring the incident of the service in line with the newest audits, and return it.

    Returns
    -------
    Incident or None
        None where there is nothing to tell, or nobody who could hear it.
    """
    desk, incidents = Desk(session), Incidents(session)
    key = incident_key(PRODUCTION, Family.PIPELINE, SELF)
    incident = incidents.live(key)
    findings = newest_audit(session).findings
    if not findings:
        return None if incident is None else _recover(desk, incident, now)
    if any(text.startswith(_UNHEARD) for text in findings):
        return incident
    if incident is None:
        incident = _reopen(desk, incidents.latest_resolved(key), findings, now)
        return incident or _open(desk, key, routing, findings, now)
    incident = desk.handle(incident, events.Breached(at=now, members=len(findings)))
    if _shape(_summary(findings)) != _shape(incident.summary):
        incident = _describe(desk, incident, findings, now)
        incident = desk.handle(incident, events.Changed(at=now))
    if now - incident.detected_at >= _PATIENCE:
        incident = desk.handle(incident, events.NotifyDue(at=now, members=len(findings)))
    return incident


def _recover(desk: Desk, incident: Incident, now: datetime) -> Incident:
    incident = desk.handle(incident, events.Cleared(at=now))
    return desk.handle(incident, events.HoldElapsed(at=now, hold=_HOLD))


def _reopen(
    desk: Desk, last: Incident | None, findings: Sequence[str], now: datetime
) -> Incident | None:
    """Reopen the last incident, in its thread, when it ended a short while ago."""
    ended = None if last is None else last.standing.resolved_at
    if last is None or ended is None or now - ended > _REOPEN:
        return None
    last = _describe(desk, last, findings, now)
    return desk.handle(last, events.Breached(at=now, members=len(findings)))


def _open(
    desk: Desk, key: str, routing: Routing, findings: Sequence[str], now: datetime
) -> Incident | None:
    told = routing.fallback[:1] or ((f"slack:{DEFAULT_CHANNEL}",) if routing.default else ())
    if not told:
        return None
    return Incidents(desk.session).add(
        Incident(
            id=0,
            uid="",
            key=key,
            model=THE_SERVICE,
            slot=PRODUCTION,
            family=Family.PIPELINE,
            scope=SELF,
            started_at=now,
            detected_at=now,
            updated_at=now,
            standing=Standing(severity=Severity.TICKET),
            facts=Facts(
                version=0, window_start=now, window_end=now, rows=0, labels=0, labels_mature=True
            ),
            owner=Owner(
                name="whoever runs watchkeeper",
                team="operations",
                why="this is where messages go that have no other way",
            ),
            summary=_summary(findings),
            destinations=told,
            plan=Plan(page=told, ticket=told, digest=told),
        )
    )


def _describe(desk: Desk, incident: Incident, findings: Sequence[str], now: datetime) -> Incident:
    facts = replace(incident.facts, window_end=now)
    described = replace(incident, summary=_summary(findings), facts=facts)
    Incidents(desk.session).save(described)
    return described


def _summary(findings: Sequence[str]) -> str:
    more = len(findings) - _SHOWN
    return "; ".join(findings[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _shape(text: str) -> str:
    """Return a summary without its numbers, which change with each audit."""
    return re.sub(r"\d+", "#", text)
