"""The nouns of the registry: a version of a model, and one line of the deployments ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from watchkeeper.errors import InputError
from watchkeeper.schema import RESERVED_COLUMNS, FeatureSchema

Alias = Literal["champion", "challenger"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersion:
    """One trained model, fixed for ever.

    Parameters
    ----------
    name, version
        The model, and the version's number within it, from 1.
    schema
        The signature: what it reads and what it predicts.
    artifact_sha256, artifact_format
        Address of its files in the artifact store, and how they are to be loaded.
    training_run_id
        The retraining run that made it; None when it was registered by hand.
    metrics
        What was measured when it was made.
    generation
        Schema generation: versions of one generation log to the same table.
    created_at
        Event time.
    """

    name: str
    version: int
    schema: FeatureSchema
    artifact_sha256: str
    artifact_format: str
    training_run_id: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    generation: int = 1
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """One line of the ledger: from ``at`` on, this is what serves the model.

    Parameters
    ----------
    model, generation
        The model, and the number of the line within it, from 1; the newest line is in force.
    version
        The champion.
    challenger, weight
        The challenger and its share of the answers, in ``[0, 1]``; 0 is a shadow. None and 0
        when there is no challenger.
    decided_by, reason
        Who or what decided, and why, in one line.
    at
        Event time.
    """

    model: str
    generation: int
    version: int
    challenger: int | None = None
    weight: float = 0.0
    decided_by: str
    reason: str
    at: datetime

    def alias(self, alias: Alias) -> int | None:
        """Return the version behind ``champion`` or ``challenger``; None when there is none."""
        return self.version if alias == "champion" else self.challenger


def rollback_target(history: Iterable[Deployment]) -> int | None:
    """Return the champion before the present one.

    Parameters
    ----------
    history
        The ledger of one model, oldest line first.

    Returns
    -------
    int or None
        The version of the newest line whose champion is not the present one; None when the
        model never had another.

    Examples
    --------
    >>> from datetime import UTC
    >>> def line(generation, version):
    ...     return Deployment(model="flights", generation=generation, version=version,
    ...         decided_by="ann", reason="…", at=datetime(2013, 6, generation, tzinfo=UTC))
    >>> rollback_target([line(1, 1), line(2, 2), line(3, 2)])
    1
    """
    lines = sorted(history, key=lambda line: line.generation, reverse=True)
    others = (line.version for line in lines if line.version != lines[0].version)
    return next(others, None)


def same_log(left: FeatureSchema, right: FeatureSchema) -> bool:
    """Whether predictions of both signatures fit one table: same task, feature names and kinds.

    The order of the columns, their categories and whether they may be null make no difference
    to a table.
    """
    return left.task == right.task and _kinds(left) == _kinds(right)


def refuse_unusable_names(schema: FeatureSchema) -> None:
    """Refuse a signature whose feature names cannot stand side by side in the prediction log.

    Raises
    ------
    InputError
        A feature is nameless, bears a name of the log's own, or two features differ in nothing
        but case: SQL engines do not tell such columns apart.
    """
    seen: dict[str, str] = {}
    for name in schema.names:
        if not name.strip():
            raise InputError("a feature has no name; expected a column name")
        if name.casefold() in RESERVED_COLUMNS:
            raise InputError(
                f"feature {name!r}: the name is reserved for the prediction log; rename the column"
            )
        if name.casefold() in seen:
            other = seen[name.casefold()]
            raise InputError(
                f"feature {name!r}: there is {other!r} already; "
                "expected names that differ in more than case"
            )
        seen[name.casefold()] = name


def _kinds(schema: FeatureSchema) -> dict[str, str]:
    return {column.name: column.kind for column in schema.columns}
