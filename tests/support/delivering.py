"""Delivering in tests: what the outbox holds, and what the stand-in shows."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, update

from alerts.deliver import Deliverer
from alerts.rows import DeliveryRow, DestinationRow
from alerts.stand_in import StandIn
from watchkeeper.database import write

TOKEN = "xoxb-secret-of-the-test"
CHANNEL = "C0FLIGHTS"
POST, UPDATE = "chat.postMessage", "chat.update"
#: For tests of what is said and heard; those of leases and locks run on both databases.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def hurry(engine: Engine) -> None:
    """Let every wait be over."""
    with write(engine) as session:
        session.execute(update(DeliveryRow).values(not_before=0.0))
        session.execute(update(DestinationRow).values(not_before=0.0))


def settle(engine: Engine, worker: Deliverer, rounds: int = 8) -> None:
    for _ in range(rounds):
        hurry(engine)
        worker.run_once()


def states(story: Any) -> list[str]:
    return [row.state for row in story.deliveries()]


def ids(slack: StandIn, channel: str = CHANNEL) -> list[str]:
    return [
        message["metadata"]["event_payload"]["delivery_id"] for message in slack.visible(channel)
    ]


def open_incident(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
