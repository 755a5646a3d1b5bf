from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, update

from alerts import respond
from alerts.channels.outcome import Channel
from alerts.channels.pagerduty import Integration, PagerDutyChannel
from alerts.channels.webhook import SIGNATURE, TIMESTAMP, Hook, WebhookChannel
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED, Destinations
from alerts.rows import DeliveryRow, DestinationRow, IncidentRow
from alerts.stand_in import Fault, FaultKind
from monitor.model import Family
from receiving import Receiver
from watchkeeper.database import read, write

SECRET = b"the-secret-of-the-test"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def channels(receiver: Receiver, timeout: float = 5) -> dict[str, Channel]:
    hook = Hook(url=f"{receiver.url}/in", secret=SECRET)
    integration = Integration(key="the-key", url=receiver.url)
    return {
        "webhook": WebhookChannel({"ops": hook}, timeout=timeout),
        "pagerduty": PagerDutyChannel({"ops": integration}, timeout=timeout),
    }


def deliverer(engine: Engine, receiver: Receiver, timeout: float = 5) -> Deliverer:
    how = Delivering(limits=UNLIMITED, look_after=0.0, public_url="https://watch.example")
    return Deliverer(engine, channels(receiver, timeout), owner="one", how=how)


def settle(engine: Engine, worker: Deliverer, rounds: int = 6) -> None:
    for _ in range(rounds):
        with write(engine) as session:
            session.execute(update(DeliveryRow).values(not_before=0.0))
            session.execute(update(DestinationRow).values(not_before=0.0))
        worker.run_once()


def open_at(flights: Any, destination: str) -> None:
    """Open a page that is told at one destination alone."""
    flights.day(0, broken=flights.columns)
    transport = destination.partition(":")[0]
    with write(flights.engine) as session:
        Destinations(session).ensure(destination)
        session.execute(update(IncidentRow).values(destinations=[destination]))
        session.execute(update(DeliveryRow).values(destination=destination, transport=transport))


def states(flights: Any) -> list[str]:
    return [row.state for row in flights.deliveries()]


FAULTS = [
    pytest.param(Fault(kind=FaultKind.DROP), id="dropped before acceptance"),
    pytest.param(Fault(kind=FaultKind.DROP, after=True), id="dropped after acceptance"),
    pytest.param(Fault(kind=FaultKind.RESET, after=True), id="reset after acceptance"),
    pytest.param(Fault(kind=FaultKind.HANG, seconds=1.0), id="hangs before acceptance"),
    pytest.param(Fault(kind=FaultKind.HANG, seconds=1.0, after=True), id="hangs after acceptance"),
    *[
        pytest.param(
            Fault(kind=FaultKind.STATUS, status=status, after=after), id=f"{status} {after}"
        )
        for status in (408, 500, 502, 503)
        for after in (False, True)
    ],
    pytest.param(Fault(kind=FaultKind.STATUS, status=400), id="400"),
    pytest.param(Fault(kind=FaultKind.STATUS, status=401), id="401"),
    pytest.param(Fault(kind=FaultKind.STATUS, status=302), id="redirect"),
    *[
        pytest.param(Fault(kind=FaultKind.THROTTLE, retry_after=wait), id=f"429 {wait}")
        for wait in ("1", "30", "soon", None)
    ],
]


@pytest.mark.parametrize("transport", ["webhook", "pagerduty"])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_ends_with_exactly_one_message_taken_in(
    flights: Any, receiver: Receiver, transport: str, fault: Fault
) -> None:
    open_at(flights, f"{transport}:ops")
    receiver.faults.append(fault)
    timeout = 0.3 if fault.kind is FaultKind.HANG else 5
    settle(flights.engine, deliverer(flights.engine, receiver, timeout))

    assert states(flights) == ["sent"]
    assert len(receiver.accepted) == 1
    assert len(receiver.calls) == 2


def test_a_page_of_a_proxy_is_no_answer_of_pagerduty(flights: Any, receiver: Receiver) -> None:
    open_at(flights, "pagerduty:ops")
    receiver.faults.append(Fault(kind=FaultKind.HTML))
    settle(flights.engine, deliverer(flights.engine, receiver))

    assert states(flights) == ["sent"]
    assert [data["event_action"] for data in receiver.accepted.values()] == ["trigger"]


def test_it_waits_as_long_as_it_is_asked_to_and_holds_up_nobody_else(
    flights: Any, receiver: Receiver
) -> None:
    open_at(flights, "webhook:ops")
    receiver.faults.append(Fault(kind=FaultKind.THROTTLE, retry_after="30"))
    worker = deliverer(flights.engine, receiver)
    for _ in range(3):
        worker.run_once()

    assert len(receiver.calls) == 1
    with read(flights.engine) as session:
        held = session.get_one(DestinationRow, "webhook:ops")
        assert held.trouble == "http_429"
        assert session.get_one(DestinationRow, "webhook").not_before == 0.0


def test_a_webhook_is_signed_over_time_and_body_and_keeps_its_key(
    flights: Any, receiver: Receiver
) -> None:
    open_at(flights, "webhook:ops")
    receiver.faults.append(Fault(kind=FaultKind.DROP))
    settle(flights.engine, deliverer(flights.engine, receiver))

    (first, _), (second, body) = receiver.calls
    signed = second[TIMESTAMP].encode() + b"." + body
    expected = hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
    assert second[SIGNATURE] == f"v1={expected}"
    assert abs(time.time() - int(second[TIMESTAMP])) < 60
    assert first["Idempotency-Key"] == second["Idempotency-Key"] == flights.deliveries()[0].id
    said = json.loads(body)
    assert (said["name"], said["severity"], said["state"]) == ("INC-0001", "page", "open")
    assert said["text"].startswith("🔴 PAGE flights: 13 columns broken: ")
    assert said["link"] == "https://watch.example/incidents/1"
    assert said["facts"]["Why you"] == "owner of model flights"


def test_pagerduty_follows_the_incident_under_one_key(flights: Any, receiver: Receiver) -> None:
    open_at(flights, "pagerduty:ops")
    worker = deliverer(flights.engine, receiver)
    settle(flights.engine, worker, rounds=1)
    flights.day(1, broken=flights.columns)
    settle(flights.engine, worker, rounds=1)
    with write(flights.engine) as session:
        respond.acknowledge(
            session, 1, "ada", now=flights.incident(Family.DATA_CONTRACT).updated_at
        )
    settle(flights.engine, worker, rounds=1)
    for number in range(2, 6):
        flights.day(number)
    settle(flights.engine, worker, rounds=2)

    events = [json.loads(body) for _, body in receiver.calls]
    actions = [event["event_action"] for event in events]
    assert list(dict.fromkeys(actions)) == ["trigger", "acknowledge", "resolve"]
    assert actions.count("trigger") == 1
    assert {event["dedup_key"] for event in events} == {flights.incident(Family.DATA_CONTRACT).uid}
    payload = events[0]["payload"]
    assert (payload["severity"], payload["source"]) == ("critical", "flights")
    assert set(states(flights)) == {"sent", "superseded"}


def test_what_was_never_open_there_is_not_opened_to_be_resolved(
    flights: Any, receiver: Receiver
) -> None:
    open_at(flights, "pagerduty:ops")
    for number in range(1, 5):
        flights.day(number)
    settle(flights.engine, deliverer(flights.engine, receiver))

    assert [data["event_action"] for data in receiver.accepted.values()] == ["resolve"]


@pytest.mark.parametrize("transport", ["webhook", "pagerduty"])
def test_foreign_names_reach_no_header_and_the_body_stays_small(
    flights: Any, receiver: Receiver, transport: str
) -> None:
    open_at(flights, f"{transport}:ops")
    columns = [f"x\r\nEvil: 1{'y' * 5000}{number}" for number in range(500)]
    with write(flights.engine) as session:
        session.execute(update(IncidentRow).values(model="a\r\nEvil: 1", columns=columns))
    settle(flights.engine, deliverer(flights.engine, receiver))

    ((headers, body),) = receiver.calls
    assert "Evil" not in headers
    assert len(body) <= 65_536
    assert b"the-secret" not in body


def test_a_webhook_that_nobody_listens_at_holds_up_only_itself(
    flights: Any, receiver: Receiver
) -> None:
    open_at(flights, "webhook:ops")
    receiver.server.shutdown()
    receiver.server.server_close()
    deliverer(flights.engine, receiver).run_once()

    (row,) = flights.deliveries()
    assert (row.state, row.doubtful, row.error_text) == ("pending", False, "ConnectionRefusedError")
    with read(flights.engine) as session:
        assert session.get_one(DestinationRow, "webhook").not_before == 0.0
        assert session.get_one(DestinationRow, "webhook:ops").not_before > 0
