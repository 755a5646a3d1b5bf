"""What the auditors find is told as one incident of the service, when it can be heard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from alerts.audit import Auditor, Finding
from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.model import IncidentState
from alerts.repository import Incidents
from alerts.routing import Routing
from alerts.rows import DeliveryRow
from alerts.self_watch import SelfWatch
from alerts.stand_in import StandIn
from alerts.sweep import sweep
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read, write

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STILL = Finding(kind="schedule", text="no evaluation of flights was ordered")
UNHEARD = Finding(kind="outbox", text="its oldest message has waited for 1000 s")


class House:
    """A service with an auditor, whose findings are whatever a test says."""

    def __init__(self, engine: Engine, routing: Routing) -> None:
        self.engine, self.routing, self.clock = engine, routing, SteppedClock(NOON)

    def audit(self, *findings: Finding, owner: str = "worker") -> None:
        self.clock.advance_to(self.clock.now() + MINUTE)
        tell = SelfWatch(self.engine, self.routing, now=self.clock.now)
        Auditor(
            self.engine, checks=[lambda: findings], heartbeat=None, owner=owner, tell=tell
        ).run_once()
        with write(self.engine) as session:
            sweep(session, {}, now=self.clock.now())

    def states(self) -> list[IncidentState]:
        with read(self.engine) as session:
            return [each.state for each in reversed(Incidents(session).newest(live=False))]

    def messages(self) -> list[tuple[str, str]]:
        with read(self.engine) as session:
            rows = session.scalars(select(DeliveryRow).order_by(DeliveryRow.sequence))
            return [(row.kind, row.destination) for row in rows]


@pytest.fixture
def house(engine: Engine) -> House:
    return House(engine, Routing(fallback=("slack:C0OPS", "email:ops@example.org")))


def test_what_stays_wrong_is_told_once_by_whatever_number_of_processes(house: House) -> None:
    for _ in range(3):
        house.audit(STILL)
        house.audit(STILL, owner="other")

    assert house.states() == [IncidentState.OPEN]
    assert house.messages() == [("root", "slack:C0OPS")]


def test_it_is_resolved_once_the_audits_of_all_processes_have_been_clean(house: House) -> None:
    house.audit(STILL)
    house.audit(STILL)
    house.audit(STILL, owner="other")
    house.audit()
    assert house.states() == [IncidentState.OPEN]
    house.audit(owner="other")
    assert house.states() == [IncidentState.RECOVERING]
    for _ in range(5):
        house.audit()

    assert house.states() == [IncidentState.RESOLVED]


def test_a_relapse_goes_on_in_the_same_thread(house: House) -> None:
    house.audit(STILL)
    house.audit(STILL)
    for _ in range(6):
        house.audit()
    assert house.states() == [IncidentState.RESOLVED]
    house.audit(STILL)

    assert house.states() == [IncidentState.OPEN]
    assert [kind for kind, _ in house.messages()].count("root") == 1


def test_it_waits_while_nobody_would_hear_of_it(house: House) -> None:
    house.audit(STILL, UNHEARD)
    house.audit(STILL, UNHEARD)
    assert house.states() == []
    house.audit(STILL)
    house.audit(STILL)

    assert house.states() == [IncidentState.OPEN]


def test_what_is_gone_with_the_next_audit_is_told_to_nobody(house: House) -> None:
    house.audit(STILL)
    house.audit()
    house.audit(STILL)

    assert house.states() == [IncidentState.DISCARDED, IncidentState.PENDING]
    assert house.messages() == []


def test_it_is_left_alone_where_nobody_is_named(engine: Engine) -> None:
    house = House(engine, Routing(default=False))
    house.audit(STILL)

    assert house.states() == []


def test_its_message_says_what_stands_still_and_what_to_do(house: House) -> None:
    house.audit(STILL)
    house.audit(STILL)
    with StandIn() as slack:
        client = make_client("xoxb-test", base_url=slack.base_url)
        channels = {"slack": SlackChannel(client)}
        how = Delivering(limits=UNLIMITED)
        Deliverer(house.engine, channels, owner="one", how=how).run_once()
        (message,) = slack.visible("C0OPS")

    assert "schedule: no evaluation of flights was ordered" in message["text"]
    assert "models are not watched" in str(message["blocks"])
