"""Model versions and the deployments ledger in SQL; both only ever grow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Float,
    ForeignKeyConstraint,
    Integer,
    String,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchkeeper.database import Base, UtcDateTime
from watchkeeper.errors import ConflictError, NotFoundError
from watchkeeper.registry.model import (
    Alias,
    Deployment,
    ModelVersion,
    refuse_unusable_names,
    same_log,
)
from watchkeeper.schema import FeatureSchema

#: Registrations that may collide with one another before one gives up.
ATTEMPTS = 20
VERSION_KEY = ["model_versions.name", "model_versions.version"]


class ModelVersionRow(Base):
    """One version of one model."""

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        CheckConstraint("version >= 1", name="version_from_one"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer)
    signature: Mapped[dict[str, Any]] = mapped_column(JSON)
    artifact_sha256: Mapped[str] = mapped_column(String(64))
    artifact_format: Mapped[str] = mapped_column(String(40))
    training_run_id: Mapped[int | None] = mapped_column(Integer)
    metrics: Mapped[dict[str, float]] = mapped_column(JSON)
    generation: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")


class DeploymentRow(Base):
    """One line of the ledger."""

    __tablename__ = "deployments"
    __table_args__ = (
        UniqueConstraint("model", "generation"),
        ForeignKeyConstraint(
            ["model", "version"], ["model_versions.name", "model_versions.version"]
        ),
        ForeignKeyConstraint(
            ["model", "challenger"], ["model_versions.name", "model_versions.version"]
        ),
        CheckConstraint("weight >= 0 AND weight <= 1", name="weight_is_a_share"),
        CheckConstraint("challenger IS NOT NULL OR weight = 0", name="weight_needs_a_challenger"),
        CheckConstraint("challenger <> version", name="challenger_is_another"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model: Mapped[str] = mapped_column(String(200))
    generation: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    challenger: Mapped[int | None] = mapped_column(Integer)
    weight: Mapped[float] = mapped_column(Float)
    decided_by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String)
    at: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")


class ModelVersions:
    """The versions that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        *,
        name: str,
        schema: FeatureSchema,
        artifact_sha256: str,
        artifact_format: str,
        at: datetime,
        training_run_id: int | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> ModelVersion:
        """Register a model under the next version number.

        Several may register at once: each gets a number of its own.

        Raises
        ------
        InputError
            A feature has a name that the prediction log cannot hold.
        ConflictError
            Others registered versions of this model at the same time, again and again.
        """
        refuse_unusable_names(schema)
        for _ in range(ATTEMPTS):
            known = self.of(name)
            row = ModelVersionRow(
                name=name,
                version=1 + max((version.version for version in known), default=0),
                signature=schema.to_dict(),
                artifact_sha256=artifact_sha256,
                artifact_format=artifact_format,
                training_run_id=training_run_id,
                metrics=dict(metrics or {}),
                generation=_generation(schema, known),
                created_at=at,
            )
            if _inserted(self._session, row):
                return _to_version(row)
        raise ConflictError(f"model {name!r}: others register versions at the same time; try again")

    def get(self, name: str, version: int) -> ModelVersion:
        """Return one version.

        Raises
        ------
        NotFoundError
            There is no such model, or it has no such version.
        """
        row = self._session.scalars(
            select(ModelVersionRow).filter_by(name=name, version=version)
        ).one_or_none()
        if row is not None:
            return _to_version(row)
        known = self.of(name)
        if not known:
            raise NotFoundError("model", name, known=self.names())
        raise NotFoundError(
            f"version of {name}", str(version), known=[str(other.version) for other in known]
        )

    def latest(self, name: str) -> ModelVersion | None:
        """Return the version with the highest number; None when the model has none."""
        row = self._session.scalars(
            select(ModelVersionRow)
            .filter_by(name=name)
            .order_by(ModelVersionRow.version.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else _to_version(row)

    def of(self, name: str) -> list[ModelVersion]:
        """Return the versions of one model, oldest first."""
        rows = self._session.scalars(
            select(ModelVersionRow).filter_by(name=name).order_by(ModelVersionRow.version)
        )
        return [_to_version(row) for row in rows]

    def names(self) -> list[str]:
        """Return the names of all models that have a version, in order."""
        names = select(ModelVersionRow.name).distinct().order_by(ModelVersionRow.name)
        return list(self._session.scalars(names))


class Deployments:
    """The ledger that one session sees; lines are added, never changed; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(
        self,
        model: str,
        version: int,
        *,
        decided_by: str,
        reason: str,
        at: datetime,
        challenger: int | None = None,
        weight: float = 0.0,
        after: int | None = None,
    ) -> Deployment:
        """Put ``version`` in force, and ``challenger`` beside it, by a new line.

        Parameters
        ----------
        after
            Generation that the decision was made under (0: none yet); None when it holds
            whatever came between.

        Raises
        ------
        NotFoundError
            A version does not exist.
        ConflictError
            Somebody else changed the deployment in between.
        ValueError
            ``weight`` is outside ``[0, 1]``, or given without a challenger, or the challenger
            is the champion.
        """
        if not 0 <= weight <= 1 or (challenger is None and weight > 0) or challenger == version:
            raise ValueError(
                f"expected a weight in [0, 1] and a challenger beside the champion, "
                f"got {weight} for version {challenger} beside {version}"
            )
        for wanted in (version, challenger):
            if wanted is not None:
                ModelVersions(self._session).get(model, wanted)
        newest = self._newest_generation(model)
        row = DeploymentRow(
            model=model,
            generation=newest + 1,
            version=version,
            challenger=challenger,
            weight=weight,
            decided_by=decided_by,
            reason=reason,
            at=at,
        )
        if after not in {None, newest} or not _inserted(self._session, row):
            raise ConflictError(
                f"model {model!r}: its deployment was changed in the meantime; decide again"
            )
        return _to_deployment(row)

    def current(self, model: str) -> Deployment | None:
        """Return the line in force; None when the model was never deployed."""
        row = self._session.scalars(
            select(DeploymentRow)
            .filter_by(model=model)
            .order_by(DeploymentRow.generation.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else _to_deployment(row)

    def history(self, model: str) -> list[Deployment]:
        """Return the whole ledger of one model, oldest line first."""
        rows = self._session.scalars(
            select(DeploymentRow).filter_by(model=model).order_by(DeploymentRow.generation)
        )
        return [_to_deployment(row) for row in rows]

    def all_current(self) -> list[Deployment]:
        """Return the line in force of every deployed model, in order of their names."""
        newest = (
            select(DeploymentRow.model, func.max(DeploymentRow.generation).label("generation"))
            .group_by(DeploymentRow.model)
            .subquery()
        )
        rows = self._session.scalars(
            select(DeploymentRow)
            .join(
                newest,
                (DeploymentRow.model == newest.c.model)
                & (DeploymentRow.generation == newest.c.generation),
            )
            .order_by(DeploymentRow.model)
        )
        return [_to_deployment(row) for row in rows]

    def resolve(self, model: str, alias: Alias) -> ModelVersion:
        """Return the version that is the model's champion or challenger now.

        Raises
        ------
        NotFoundError
            The model has none.
        """
        current = self.current(model)
        version = None if current is None else current.alias(alias)
        if version is None:
            raise NotFoundError(f"{alias} of model", model)
        return ModelVersions(self._session).get(model, version)

    def _newest_generation(self, model: str) -> int:
        newest = select(func.max(DeploymentRow.generation)).where(DeploymentRow.model == model)
        return self._session.scalar(newest) or 0


def _inserted(session: Session, row: ModelVersionRow | DeploymentRow) -> bool:
    # A savepoint keeps the caller's transaction usable when the number is already taken.
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def _generation(schema: FeatureSchema, known: list[ModelVersion]) -> int:
    for version in reversed(known):
        if same_log(version.schema, schema):
            return version.generation
    return 1 + max((version.generation for version in known), default=0)


def _to_version(row: ModelVersionRow) -> ModelVersion:
    return ModelVersion(
        name=row.name,
        version=row.version,
        schema=FeatureSchema.from_dict(row.signature),
        artifact_sha256=row.artifact_sha256,
        artifact_format=row.artifact_format,
        training_run_id=row.training_run_id,
        metrics=dict(row.metrics),
        generation=row.generation,
        created_at=row.created_at,
    )


def _to_deployment(row: DeploymentRow) -> Deployment:
    return Deployment(
        model=row.model,
        generation=row.generation,
        version=row.version,
        challenger=row.challenger,
        weight=row.weight,
        decided_by=row.decided_by,
        reason=row.reason,
        at=row.at,
    )
