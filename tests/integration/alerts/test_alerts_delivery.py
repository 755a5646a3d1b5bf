"""What becomes of one message: every outcome of a call ends with it visible exactly once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from alerts.deliver import Deliverer
from alerts.notes import note
from alerts.rows import DeliveryRow
from alerts.stand_in import Fault, FaultKind, StandIn
from delivering import (
    CHANNEL,
    ON_SQLITE,
    POST,
    open_incident,
    settle,
    states,
)
from watchkeeper.database import write


def test_a_message_arrives_and_its_place_is_kept(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    open_incident(flights)

    assert worker().run_once() == 1
    (root,) = flights.deliveries()
    (message,) = slack.messages(CHANNEL)
    assert (root.state, root.channel_id, root.ts) == ("sent", CHANNEL, message["ts"])
    assert message["text"].startswith("🟠 TICKET flights: ROC AUC 0.710, below the limit 0.730.")
    assert worker().run_once() == 0


def test_the_root_is_edited_and_the_thread_tells_the_rest(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    open_incident(flights)
    worker().run_once()
    for number in range(2, 6):
        flights.day(number)
        worker().run_once()

    (root,) = slack.messages(CHANNEL)
    (reply,) = slack.replies(CHANNEL, root["ts"])
    assert "RESOLVED" in root["text"]
    assert root["edited"]
    assert reply["text"] == "Resolved after 4 d: recovered."


#: The outcome table: what a call does, and how many calls that may arrive it takes to be done.
FAULTS = [
    pytest.param(Fault(kind=FaultKind.DROP), id="dropped before acceptance"),
    pytest.param(Fault(kind=FaultKind.DROP, after=True), id="dropped after acceptance"),
    pytest.param(Fault(kind=FaultKind.RESET), id="reset before acceptance"),
    pytest.param(Fault(kind=FaultKind.RESET, after=True), id="reset after acceptance"),
    pytest.param(Fault(kind=FaultKind.HANG, seconds=1.3), id="hangs before acceptance"),
    pytest.param(Fault(kind=FaultKind.HANG, seconds=1.3, after=True), id="hangs after acceptance"),
    *[
        pytest.param(
            Fault(kind=FaultKind.STATUS, status=status, after=after),
            id=f"{status} {'after' if after else 'before'} acceptance",
        )
        for status in (500, 502, 503, 504)
        for after in (False, True)
    ],
    pytest.param(Fault(kind=FaultKind.HTML), id="html before acceptance"),
    pytest.param(Fault(kind=FaultKind.HTML, after=True), id="html after acceptance"),
    pytest.param(Fault(kind=FaultKind.EMPTY), id="empty body before acceptance"),
    pytest.param(Fault(kind=FaultKind.EMPTY, after=True), id="empty body after acceptance"),
    pytest.param(Fault(kind=FaultKind.TRUNCATED, after=True), id="truncated after acceptance"),
    *[
        pytest.param(Fault(kind=FaultKind.REFUSE, error=error, after=after), id=f"{error} {after}")
        for error in ("fatal_error", "internal_error", "service_unavailable", "request_timeout")
        for after in (False, True)
    ],
    *[
        pytest.param(Fault(kind=FaultKind.THROTTLE, retry_after=wait), id=f"429 retry-after {wait}")
        for wait in ("1", "30", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "1e9", None)
    ],
    pytest.param(Fault(kind=FaultKind.REFUSE, error="ratelimited"), id="200 ratelimited"),
    pytest.param(Fault(kind=FaultKind.REFUSE, error="invalid_blocks"), id="invalid_blocks"),
    pytest.param(Fault(kind=FaultKind.REFUSE, error="msg_blocks_too_long"), id="blocks_too_long"),
    pytest.param(Fault(kind=FaultKind.REFUSE, error="not_in_channel"), id="not_in_channel"),
    pytest.param(Fault(kind=FaultKind.REFUSE, error="is_archived"), id="is_archived"),
    pytest.param(Fault(kind=FaultKind.REFUSE, error="token_revoked"), id="token_revoked"),
    pytest.param(Fault(kind=FaultKind.REFUSE, error="brand_new_error"), id="unknown refusal"),
]


@pytest.mark.parametrize("fault", FAULTS)
@ON_SQLITE
def test_each_fault_ends_with_exactly_one_visible_message(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer], fault: Fault
) -> None:
    open_incident(flights)
    slack.faults.add(POST, fault)
    settle(flights.engine, worker(timeout=1 if fault.kind is FaultKind.HANG else 10))

    assert states(flights) == ["sent"]
    assert len(slack.visible(CHANNEL)) == 1


@ON_SQLITE
@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.RESET, FaultKind.EMPTY])
def test_what_was_accepted_is_adopted_and_not_sent_again(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer], kind: FaultKind
) -> None:
    open_incident(flights)
    slack.faults.add(POST, Fault(kind=kind, after=True))
    settle(flights.engine, worker())

    (row,) = flights.deliveries()
    (message,) = slack.visible(CHANNEL)
    assert (row.adopted, row.ts) == (True, message["ts"])
    assert slack.calls.count(POST) == 1


@ON_SQLITE
def test_a_reply_that_may_have_arrived_is_looked_for_in_its_thread(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    open_incident(flights)
    settle(flights.engine, worker())
    with write(flights.engine) as session:
        note(session, "flights", "Retraining is held.", now=flights.incident().updated_at)
    slack.faults.add(POST, Fault(kind=FaultKind.DROP, after=True))
    settle(flights.engine, worker())

    (root,) = slack.messages(CHANNEL)
    assert [reply["text"] for reply in slack.replies(CHANNEL, root["ts"])] == [
        "Retraining is held."
    ]


@ON_SQLITE
def test_history_that_lags_is_asked_again(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    slack.workspace.history_lag = 0.4
    open_incident(flights)
    slack.faults.add(POST, Fault(kind=FaultKind.DROP, after=True))
    one = worker(look_after=0.5)
    one.run_once()
    deadline = time.monotonic() + 10
    while states(flights) != ["sent"] and time.monotonic() < deadline:
        with write(flights.engine) as session:
            session.execute(
                update(DeliveryRow).where(DeliveryRow.lookups == 0).values(not_before=0.0)
            )
        one.run_once()
        time.sleep(0.05)

    assert states(flights) == ["sent"]
    assert len(slack.visible(CHANNEL)) == 1


@ON_SQLITE
def test_without_the_right_to_look_it_is_sent_again_and_says_so(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    slack.scopes_missing = {"conversations.history"}
    open_incident(flights)
    slack.faults.add(POST, Fault(kind=FaultKind.DROP, after=True))
    settle(flights.engine, worker())

    first, second = slack.visible(CHANNEL)
    assert "possible repeat" not in first["text"]
    assert "possible repeat" in second["text"]
