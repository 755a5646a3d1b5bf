"""Many messages and several workers: order, limits, leases, and what holds up what."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED, Limits
from alerts.notes import note
from alerts.outbox import DeliveryState, Outbox
from alerts.rows import DeliveryRow, DestinationRow, IncidentRow
from alerts.stand_in import Fault, FaultKind, StandIn
from delivering import (
    CHANNEL,
    ON_SQLITE,
    POST,
    TOKEN,
    UPDATE,
    ids,
    open_incident,
    settle,
    states,
)
from watchkeeper.database import read, write
from watchkeeper.errors import LeaseLostError


@ON_SQLITE
def test_it_does_not_call_again_before_the_time_that_slack_asked_for(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    open_incident(flights)
    slack.faults.add(POST, Fault(kind=FaultKind.THROTTLE, retry_after="30"))
    started = time.monotonic()
    for _ in range(5):
        worker().run_once()

    assert slack.calls.count(POST) == 1
    assert time.monotonic() - started < 2
    (row,) = flights.deliveries()
    assert (row.state, row.attempt) == ("pending", 0)


@ON_SQLITE
def test_one_throttled_channel_does_not_hold_up_another(
    flights: Any, tell: Callable[..., Any], slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    trains = tell("trains", owner={"name": "Bob", "channel": "C0TRAINS"})
    for number in (0, 1):
        flights.day(number, loss=2.0)
        trains.day(number, loss=2.0)
    slack.faults.add(POST, Fault(kind=FaultKind.THROTTLE, retry_after="30"))
    worker().run_once()

    assert len(slack.visible(CHANNEL)) + len(slack.visible("C0TRAINS")) == 1


@ON_SQLITE
def test_a_call_that_hangs_holds_up_only_its_own(
    flights: Any, tell: Callable[..., Any], slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    trains = tell("trains", owner={"name": "Bob", "channel": "C0TRAINS"})
    for number in (0, 1):
        flights.day(number, loss=2.0)
        trains.day(number, loss=2.0)
    slack.faults.add(POST, Fault(kind=FaultKind.HANG, seconds=3.0))
    began = time.monotonic()
    sending = threading.Thread(target=worker(lanes=2).run_once)
    sending.start()
    while not slack.visible(CHANNEL) and not slack.visible("C0TRAINS"):
        assert time.monotonic() < began + 2.5, "both wait for the one that hangs"
        time.sleep(0.02)
    sending.join()

    assert len(slack.visible(CHANNEL)) + len(slack.visible("C0TRAINS")) == 1


def test_two_throttled_channels_mean_the_whole_workspace(
    flights: Any, tell: Callable[..., Any], slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    for index, name in enumerate(["trains", "gates", "planes"]):
        story = tell(name, owner={"name": "Bob", "channel": f"C0CHANNEL{index}"})
        for number in (0, 1):
            story.day(number, loss=2.0)
    throttle = Fault(kind=FaultKind.THROTTLE, retry_after="30")
    slack.faults.add(POST, throttle, throttle)
    worker().run_once()

    assert slack.calls.count(POST) == 2


def test_token_buckets_are_shared_by_all_workers(
    flights: Any, tell: Callable[..., Any], slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    for index in range(6):
        story = tell(f"model{index}")
        for number in (0, 1):
            story.day(number, loss=2.0)
    limits = Limits(post_every=60, post_burst=2)
    for owner in ("one", "two"):
        worker(owner, limits=limits).run_once()

    assert len(slack.visible(CHANNEL)) == 2


def test_edits_coalesce_and_the_newest_wins(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    open_incident(flights)
    worker().run_once()
    for number in range(2, 8):
        flights.day(number, loss=float(number))
    settle(flights.engine, worker())

    (root,) = slack.messages(CHANNEL)
    assert slack.calls.count(UPDATE) == 1
    assert "ROC AUC 0.610" in root["text"]


@ON_SQLITE
def test_a_root_that_was_deleted_is_posted_anew_once(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    open_incident(flights)
    worker().run_once()
    slack.workspace.delete(CHANNEL, slack.messages(CHANNEL)[0]["ts"])
    flights.day(2, loss=3.0)
    settle(flights.engine, worker())
    flights.day(3, loss=4.0)
    settle(flights.engine, worker())

    (root,) = slack.messages(CHANNEL)
    assert "0.670" in root["text"]


def test_an_archived_channel_sends_the_thread_to_the_fallback(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    slack.workspace.room(CHANNEL).archived = True
    open_incident(flights)
    with write(flights.engine) as session:
        note(session, "flights", "Retraining is held.", now=flights.incident().updated_at)
    settle(flights.engine, worker(fallback="slack:C0OPS"))
    for number in range(2, 6):
        flights.day(number)
    settle(flights.engine, worker(fallback="slack:C0OPS"))

    (root,) = slack.messages("C0OPS")
    assert "RESOLVED" in root["text"]
    texts = [reply["text"] for reply in slack.replies("C0OPS", root["ts"])]
    assert texts == ["Retraining is held.", "Resolved after 4 d: recovered."]
    assert states(flights).count("dead") == 1


def test_a_revoked_token_keeps_the_queue_and_its_order(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    slack.revoked = True
    open_incident(flights)
    for text in ("first", "second"):
        with write(flights.engine) as session:
            note(session, "flights", text, now=flights.incident().updated_at)
    settle(flights.engine, worker())
    assert set(states(flights)) == {"pending"}
    with read(flights.engine) as session:
        assert session.get_one(DestinationRow, "slack").trouble == "token_revoked"
    slack.revoked = False
    settle(flights.engine, worker())

    (root,) = slack.messages(CHANNEL)
    assert [each["text"] for each in slack.replies(CHANNEL, root["ts"])] == ["first", "second"]


@ON_SQLITE
def test_a_message_that_is_refused_for_its_form_arrives_as_plain_text(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    open_incident(flights)
    slack.faults.add(POST, Fault(kind=FaultKind.REFUSE, error="invalid_blocks"))
    settle(flights.engine, worker())

    (root,) = slack.messages(CHANNEL)
    assert root["blocks"] == []
    assert "ROC AUC 0.710, below the limit 0.730" in root["text"]


def test_a_page_overtakes_the_edits_that_wait(
    flights: Any, tell: Callable[..., Any], slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    flights.day(0, broken=("temp",))
    worker().run_once()
    flights.day(1, broken=("temp", "dewp"))
    page = tell("trains")
    for number in (0, 1):
        page.day(number, loss=2.0)
    slack.calls.clear()
    worker().run_once()

    assert slack.calls == [POST, UPDATE]


@ON_SQLITE
def test_a_late_message_says_how_late_it_is(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    open_incident(flights)
    with write(flights.engine) as session:
        session.execute(update(DeliveryRow).values(enqueued_at=DeliveryRow.enqueued_at - 840))
    worker().run_once()

    assert "(delayed 14 min: Slack could not be reached)" in slack.messages(CHANNEL)[0]["text"]


@ON_SQLITE
def test_what_opened_and_recovered_while_slack_was_away_is_one_message(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    for number in range(2, 6):
        flights.day(number)
    settle(flights.engine, worker())

    (root,) = slack.messages(CHANNEL)
    assert "RESOLVED" in root["text"]
    assert slack.calls.count(UPDATE) == 0


def test_two_workers_send_each_of_many_messages_once(
    engine: Engine, tell: Callable[..., Any], slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    story = tell("flights")
    open_incident(story)
    with write(engine) as session:
        template = session.scalars(select(IncidentRow)).one()
        values = {c.name: getattr(template, c.name) for c in template.__table__.columns}
        first = session.scalars(select(DeliveryRow)).one()
        sent = {c.name: getattr(first, c.name) for c in first.__table__.columns}
        for number in range(250):
            session.add(
                IncidentRow(
                    **values | {"id": number + 10, "uid": f"u{number}", "key": f"k{number}"}
                )
            )
        session.flush()
        for number in range(250):
            row = sent | {"id": f"d{number}", "incident_id": number + 10}
            session.add(DeliveryRow(**{k: v for k, v in row.items() if k != "sequence"}))

    def drain(owner: str) -> None:
        one = worker(owner)
        while one.run_once():
            pass

    threads = [threading.Thread(target=drain, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while worker().run_once():
        pass

    assert len(ids(slack)) == 251
    assert len(set(ids(slack))) == 251


def test_a_slow_worker_whose_lease_ran_out_records_nothing(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    open_incident(flights)
    with write(flights.engine) as session:
        held = Outbox(session).lease("slow", seconds=0.0, limits=UNLIMITED, transports=["slack"])
    settle(flights.engine, worker())
    assert held is not None
    with pytest.raises(LeaseLostError), write(flights.engine) as session:
        Outbox(session).finish(held, state=DeliveryState.DEAD)

    assert states(flights) == ["sent"]
    assert len(slack.visible(CHANNEL)) == 1


def test_a_lease_must_be_longer_than_its_calls() -> None:
    with pytest.raises(ValueError, match="too short for calls"):
        Delivering(lease=15, call=10)


@ON_SQLITE
def test_an_unreachable_slack_is_tried_again_later_and_in_order(
    flights: Any, engine: Engine
) -> None:
    open_incident(flights)
    # Bound, so that nobody else takes the port, and not listening.
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        client = make_client(TOKEN, base_url=f"http://127.0.0.1:{port}/api/", timeout=1)
        how = Delivering(limits=UNLIMITED, lease=3.0, call=1)
        Deliverer(engine, {"slack": SlackChannel(client)}, owner="one", how=how).run_once()

    (row,) = flights.deliveries()
    assert (row.state, row.doubtful, row.error_text) == ("pending", False, "ConnectionRefusedError")
    with read(engine) as session:
        assert session.get_one(DestinationRow, "slack").not_before > row.enqueued_at


@ON_SQLITE
def test_a_proxy_is_not_asked_for_this_machine(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    open_incident(flights)
    worker().run_once()

    assert len(slack.visible(CHANNEL)) == 1


@ON_SQLITE
def test_no_secret_gets_into_messages_errors_or_logs(
    flights: Any,
    slack: StandIn,
    worker: Callable[..., Deliverer],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    open_incident(flights)
    refusals = ("token_revoked", "invalid_blocks", "is_archived", "internal_error")
    slack.faults.add(POST, *[Fault(kind=FaultKind.REFUSE, error=error) for error in refusals])
    with caplog.at_level(logging.DEBUG):
        settle(flights.engine, worker())

    everything = [json.dumps(slack.visible(CHANNEL)), caplog.text, *capsys.readouterr()]
    everything += [str(row.error_text) for row in flights.deliveries()]
    assert not any("secret" in text for text in everything)
    assert slack.visible(CHANNEL)


@ON_SQLITE
def test_an_adopted_root_is_edited_when_the_incident_has_moved_on_since(
    flights: Any, slack: StandIn, worker: Callable[..., Deliverer]
) -> None:
    open_incident(flights)
    slack.faults.add(POST, Fault(kind=FaultKind.DROP, after=True))
    worker().run_once()
    for number in range(2, 6):
        flights.day(number)
    settle(flights.engine, worker())

    (root,) = slack.messages(CHANNEL)
    assert "RESOLVED" in root["text"]
