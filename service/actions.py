"""What a person may set in motion: take an incident, go back to a version, ask for a retrain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine

from alerts import events
from alerts.desk import Desk
from alerts.policy import AlertPolicy, policy_of
from alerts.repository import Incidents
from retrain.rollback import rollback
from watchkeeper.clock import Clock
from watchkeeper.database import write
from watchkeeper.errors import NotFoundError
from watchkeeper.model_settings import ModelSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Actions:
    """The use cases behind buttons and commands; each is one transaction."""

    engine: Engine
    clock: Clock
    models: Mapping[str, ModelSettings]

    def acknowledge(self, incident_id: int, actor: str) -> None:
        """Tell the others that ``actor`` is on it.

        Raises
        ------
        NotFoundError
            There is no such incident.
        ConflictError
            Its state does not allow it.
        """
        now = self.clock.now()
        with write(self.engine) as session:
            incident = Incidents(session).get(incident_id)
            if incident is None:
                raise NotFoundError("incident", f"INC-{incident_id}")
            settings = self.models.get(incident.model)
            policy = AlertPolicy() if settings is None else policy_of(settings)
            acked = events.Acked(at=now, actor=actor, expires_at=now + policy.ack_expires)
            Desk(session).handle(incident, acked)

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
