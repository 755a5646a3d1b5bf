"""Tell what the service has done since the last look: incidents, decisions, runs, deployments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from alerts.model import IncidentState, Severity
from alerts.outbox import DeliveryState
from alerts.rows import DeliveryRow, IncidentEventRow, IncidentRow
from monitor.window_store import WindowRow
from retrain.model import Action, RunState
from retrain.rows import RetrainDecisionRow, RetrainRunRow
from service.demo.screen import Screen
from watchkeeper.database import read

_TOLD = {
    "opened": "opens",
    "breached": "comes back",
    "raised": "gets worse",
    "resolved": "is resolved",
}


@dataclass(kw_only=True)
class Narrator:
    """Remembers what it has told; reads everything else from the database."""

    engine: Engine
    screen: Screen
    _events: int = 0
    _decisions: int = 0
    _ended: set[int] = field(default_factory=set)

    def tell(self) -> str:
        """Show what is new, and return the facts for the living line."""
        with read(self.engine) as session:
            lines = [*self._incidents(session), *self._retraining(session), *self._runs(session)]
            facts = _facts(session)
        for at, kind, text in sorted(lines, key=lambda line: line[0]):
            self.screen.event(at, kind, text)
        return facts

    def undelivered(self) -> int:
        """Return how many messages are still on their way."""
        waiting = (DeliveryState.PENDING, DeliveryState.LEASED, DeliveryState.AMBIGUOUS)
        with read(self.engine) as session:
            found = session.scalar(
                select(func.count()).select_from(DeliveryRow).where(DeliveryRow.state.in_(waiting))
            )
        return found or 0

    def _incidents(self, session: Session) -> list[tuple[datetime, str, str]]:
        rows = session.execute(
            select(IncidentEventRow, IncidentRow)
            .join(IncidentRow, IncidentRow.id == IncidentEventRow.incident_id)
            .where(IncidentEventRow.id > self._events)
            .order_by(IncidentEventRow.id)
        ).all()
        lines = []
        for event, incident in rows:
            self._events = event.id
            if event.event not in _TOLD:
                continue
            over = event.after == IncidentState.RESOLVED
            kind = "page" if incident.severity == Severity.PAGE else "ticket"
            family = incident.family.replace("_", " ").capitalize()
            what = f"{family} incident INC-{incident.id} {_TOLD[event.event]}"
            text = what if over else f"{what} ({incident.severity}): {incident.summary}"
            lines.append((event.at, "good" if over else kind, text))
        return lines

    def _retraining(self, session: Session) -> list[tuple[datetime, str, str]]:
        rows = session.scalars(
            select(RetrainDecisionRow)
            .where(RetrainDecisionRow.id > self._decisions)
            .order_by(RetrainDecisionRow.id)
        ).all()
        lines = []
        for row in rows:
            self._decisions = row.id
            if row.action == Action.HELD:
                lines.append((row.decided_at, "held", f"Retraining {row.reason}"))
            elif row.action == Action.QUEUED:
                lines.append((row.decided_at, "model", f"Retraining is due: {row.reason}"))
            else:
                reason = row.reason.removeprefix("escalate: ")
                lines.append((row.decided_at, "held", f"Retraining needs a person: {reason}"))
        return lines

    def _runs(self, session: Session) -> list[tuple[datetime, str, str]]:
        rows = session.scalars(
            select(RetrainRunRow).where(RetrainRunRow.finished_at.is_not(None))
        ).all()
        lines = []
        for row in rows:
            if row.id in self._ended or row.finished_at is None:
                continue
            self._ended.add(row.id)
            good = row.state == RunState.SUCCEEDED
            text = f"Retrain run {row.id} {row.state}: {row.reason}"
            lines.append((row.finished_at, "good" if good else "held", text))
        return lines


def _facts(session: Session) -> str:
    windows = session.scalar(
        select(func.count()).select_from(WindowRow).where(WindowRow.evaluated_at.is_not(None))
    )
    incidents = session.scalar(select(func.count()).select_from(IncidentRow))
    messages = session.scalar(
        select(func.count()).select_from(DeliveryRow).where(DeliveryRow.state == DeliveryState.SENT)
    )
    return f"{windows} windows  {incidents} incidents  {messages} messages"
