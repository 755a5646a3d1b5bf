"""Goes back to an older version: a new line of the ledger, never a change to an old one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.errors import ConflictError, NotFoundError
from watchkeeper.registry.model import Deployment, rollback_target
from watchkeeper.registry.repository import Deployments


def rollback(
    session: Session,
    model: str,
    to_version: int | None,
    *,
    actor: str,
    reason: str,
    now: datetime,
) -> Deployment:
    """Put an older version in force, in the caller's transaction.

    Parameters
    ----------
    to_version
        None for the champion before the present one.

    Raises
    ------
    NotFoundError
        The model was never deployed, or has no such version.
    ConflictError
        There is nothing to go back to, the version serves already, or somebody else deployed at
        the same time.
    """
    deployments = Deployments(session)
    current = deployments.current(model)
    if current is None:
        raise NotFoundError("deployed version of model", model)
    target = to_version if to_version is not None else rollback_target(deployments.history(model))
    if target is None:
        raise ConflictError(f"model {model!r}: there was no version before {current.version}")
    if target == current.version:
        raise ConflictError(f"model {model!r}: version {target} serves already")
    return deployments.append(
        model,
        target,
        decided_by=actor,
        reason=f"rollback: {reason}",
        at=now,
        after=current.generation,
    )
