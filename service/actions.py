"""What a person may set in motion: take an incident, go back to a version, ask for a retrain."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from alerts import respond
from retrain.rollback import rollback
from watchkeeper.clock import Clock
from watchkeeper.database import write


@dataclass(frozen=True, kw_only=True, slots=True)
class Actions:
    """The use cases behind buttons and commands; each is one transaction."""

    engine: Engine
    clock: Clock

    def acknowledge(self, incident_id: int, actor: str) -> None:
        """Tell the others that ``actor`` is on it.

        Raises
        ------
        NotFoundError
            There is no such incident.
        ConflictError
            Its state does not allow it.
        """
        with write(self.engine) as session:
            respond.acknowledge(session, incident_id, actor, now=self.clock.now())

    def roll_back(self, model: str, version: int | None, actor: str) -> None:
        """Serve an earlier version again; None is the one before.

        Raises
        ------
        NotFoundError
            There is no such model or version.
        ConflictError
            There is nothing to go back to.
        """
        with write(self.engine) as session:
            rollback(
                session,
                model,
                version,
                actor=actor,
                reason="rolled back by hand",
                now=self.clock.now(),
            )
