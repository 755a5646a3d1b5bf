"""The facts of a replay, read from the database and the lake; nothing is remembered on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alerts.model import DeliveryKind, Severity
from alerts.outbox import DeliveryState
from alerts.rows import DeliveryRow, IncidentRow
from monitor.window_store import WindowRow
from retrain.dataset import read_lake
from retrain.model import Action, RunState, Trigger
from retrain.rows import RetrainDecisionRow, RetrainRunRow
from retrain.scoring import score
from service.bootstrap import Service
from serving.artifact import load
from watchkeeper.database import read
from watchkeeper.registry.model import ModelVersion
from watchkeeper.registry.repository import Deployments, ModelVersions


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What happened, as ``watchkeeper demo --json`` writes it.

    Parameters
    ----------
    incidents
        Those that the owner was told of; ``deliveries`` counts the messages that stand in the
        channel for it, which are edited in place: one.
    drift_findings
        What only the digest would list, and nobody was told at once.
    champion_before, champion_after
        The metric of the first version and of the final one, both on the rows that were served
        after the last promotion; None when nothing was promoted.
    """

    rows_served: int
    windows: int
    incidents: list[dict[str, Any]]
    drift_findings: int
    messages_delivered: int
    retrains: int
    retrains_held: int
    retrains_refused: int
    promotions: int
    metric: str
    champion_before: float | None
    champion_after: float | None
    failed_requests: int
    seconds: float


def gather(
    service: Service, model: str, *, rows_served: int, failed_requests: int, seconds: float
) -> Facts:
    """Read everything that the summary says."""
    with read(service.engine) as session:
        counts = _counts(session, model)
        incidents = _incidents(session, model)
        history = Deployments(session).history(model)
        versions = {version.version: version for version in ModelVersions(session).of(model)}
    promoted = [deployment for deployment in history if deployment.generation > 1]
    before = after = None
    if promoted:
        last = max(promoted, key=lambda deployment: deployment.generation)
        first = min(history, key=lambda deployment: deployment.generation)
        before, after = _same_rows(
            service, model, (versions[first.version], versions[last.version]), last.at
        )
    return Facts(
        rows_served=rows_served,
        incidents=incidents,
        promotions=len(promoted),
        metric=service.models[model].tolerance.metric,
        champion_before=before,
        champion_after=after,
        failed_requests=failed_requests,
        seconds=round(seconds, 1),
        **counts,
    )


def _counts(session: Session, model: str) -> Mapping[str, Any]:
    def count(table: Any, *where: Any) -> int:
        statement = select(func.count()).select_from(table).where(table.model == model, *where)
        return session.scalar(statement) or 0

    sent = session.scalar(
        select(func.count()).select_from(DeliveryRow).where(DeliveryRow.state == DeliveryState.SENT)
    )
    return {
        "windows": count(WindowRow, WindowRow.evaluated_at.is_not(None)),
        "drift_findings": count(IncidentRow, IncidentRow.severity == Severity.DIGEST),
        "messages_delivered": sent or 0,
        "retrains": count(RetrainRunRow, RetrainRunRow.trigger != Trigger.FIRST),
        "retrains_held": count(RetrainDecisionRow, RetrainDecisionRow.action == Action.HELD),
        "retrains_refused": count(RetrainRunRow, RetrainRunRow.state == RunState.REFUSED),
    }


def _incidents(session: Session, model: str) -> list[dict[str, Any]]:
    sent = dict(
        session.execute(
            select(DeliveryRow.incident_id, func.count())
            .where(DeliveryRow.state == DeliveryState.SENT, DeliveryRow.kind == DeliveryKind.ROOT)
            .group_by(DeliveryRow.incident_id)
        ).all()
    )
    rows = session.scalars(
        select(IncidentRow)
        .where(IncidentRow.model == model, IncidentRow.severity != Severity.DIGEST)
        .order_by(IncidentRow.id)
    )
    return [
        {
            "family": row.family,
            "severity": row.severity,
            "opened_at": _iso(row.opened_at or row.detected_at),
            "resolved_at": _iso(row.resolved_at),
            "deliveries": sent.get(row.id, 0),
        }
        for row in rows
    ]


def _same_rows(
    service: Service, model: str, versions: tuple[ModelVersion, ModelVersion], since: datetime
) -> tuple[float, float]:
    settings = service.models[model]
    kinds = {column.name: column.kind for column in versions[1].schema.columns}
    served, _ = read_lake(service.lake, settings, kinds, after=since, now=service.clock.now())
    trusted = service.workplace.trusted
    values = []
    for version in versions:
        folder = service.artifacts.open(version.artifact_sha256)
        values.append(score(load(folder, version.schema, trusted), served, settings).metric)
    return values[0], values[1]


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
