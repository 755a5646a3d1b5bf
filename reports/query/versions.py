"""Versions and the deployments ledger from the registry."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reports.model import DeploymentMark, DeploymentRow, VersionRow
from watchkeeper.registry import repository as tables

_MOST = 50


def names(session: Session) -> list[str]:
    """Return every model that has a version."""
    return list(session.scalars(select(tables.ModelVersionRow.name).distinct()))


def exists(session: Session, model: str) -> bool:
    """Return whether a model has a version."""
    row = tables.ModelVersionRow
    return session.scalar(select(row.version).where(row.name == model).limit(1)) is not None


def champions(session: Session, models: Collection[str]) -> dict[str, DeploymentRow]:
    """Return the line of the ledger that is in force for each of these models."""
    row = tables.DeploymentRow
    newest = (
        select(row.model, func.max(row.generation).label("generation"))
        .where(row.model.in_(models))
        .group_by(row.model)
        .subquery()
    )
    found = session.scalars(
        select(row).join(
            newest, (row.model == newest.c.model) & (row.generation == newest.c.generation)
        )
    )
    return {line.model: _deployment(line) for line in found}


def deployments(session: Session, model: str) -> tuple[DeploymentRow, ...]:
    """Return the newest lines of a model's ledger, newest first."""
    row = tables.DeploymentRow
    lines = session.scalars(
        select(row).where(row.model == model).order_by(row.generation.desc()).limit(_MOST)
    )
    return tuple(_deployment(line) for line in lines)


def registered(session: Session, model: str, champion: int | None) -> tuple[VersionRow, ...]:
    """Return the newest versions of a model, newest first, without their long signatures."""
    row = tables.ModelVersionRow
    found = session.execute(
        select(
            row.version,
            row.created_at,
            row.artifact_format,
            row.artifact_sha256,
            row.generation,
            row.metrics,
            row.training_run_id,
        )
        .where(row.name == model)
        .order_by(row.version.desc())
        .limit(_MOST)
    )
    return tuple(
        VersionRow(
            version=each.version,
            created_at=each.created_at,
            artifact_format=each.artifact_format,
            artifact_sha256=each.artifact_sha256,
            generation=each.generation,
            metrics=tuple(each.metrics.items()),
            training_run_id=each.training_run_id,
            champion=each.version == champion,
        )
        for each in found
    )


def marks(lines: Collection[DeploymentRow]) -> tuple[DeploymentMark, ...]:
    """Return when the champion changed, oldest first; a new challenger is no change."""
    found: list[DeploymentMark] = []
    for line in sorted(lines, key=lambda each: each.generation):
        if not found or found[-1].version != line.version:
            found.append(DeploymentMark(at=line.at, version=line.version))
    return tuple(found)


def _deployment(row: tables.DeploymentRow) -> DeploymentRow:
    return DeploymentRow(
        generation=row.generation,
        version=row.version,
        at=row.at,
        decided_by=row.decided_by,
        reason=row.reason,
        challenger=row.challenger,
        weight=row.weight,
    )
