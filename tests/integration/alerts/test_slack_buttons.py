from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar import Litestar
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from alerts.channels.slack import SlackChannel, make_client
from alerts.channels.slack_signature import is_from_slack
from alerts.channels.slack_whisper import whisper
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.interactions import Interactions, presses_in
from alerts.model import Incident, IncidentState, Verdict
from alerts.rows import ClickRow
from alerts.stand_in import StandIn
from alerts.sweep import sweep
from service.server import Server
from service.web.slack import interactions_handler
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read, write
from watchkeeper.errors import ConflictError

CHANNEL = "C0FLIGHTS"
SECRET = "stand-in-signing-secret"
FIRST = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
S = IncidentState
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Desk:
    """The whole way of a click: page, stand-in, our server, database, message."""

    def __init__(self, engine: Engine, slack: StandIn, clock: SteppedClock) -> None:
        self.engine, self.slack, self.clock = engine, slack, clock
        self.runs: list[str] = []
        self.seconds: list[float] = []
        self.lock = threading.Lock()
        client = make_client("xoxb-test", base_url=slack.base_url)
        how = Delivering(limits=UNLIMITED, interactive=True)
        self.worker = Deliverer(engine, {"slack": SlackChannel(client)}, owner="w", how=how)

    def retrain(self, _session: Session, incident: Incident, actor: str, _key: str) -> str:
        with self.lock:
            if self.runs:
                raise ConflictError("run 1 is queued already")
            self.runs.append(f"{incident.model} by {actor}")
        return "Retrain run 1 is queued."

    def click(self, action: str, *, user: str = "U0ADA", value: str | None = None) -> int:
        (root,) = self.slack.messages(CHANNEL)
        status, seconds = self.slack.clicks.click(
            CHANNEL, root["ts"], f"incident.{action}", user=user, value=value
        )
        self.seconds.append(seconds)
        return status

    def serve(self, *, patience: float) -> Server:
        """Answer clicks; a test of what a click does waits for it, however busy the machine."""
        interactions = Interactions(
            self.engine, self.clock, secrets=[SECRET], retrain=self.retrain, wall=time.time
        )
        answer = partial(whisper, base_url=self.slack.base_url)
        handler = interactions_handler(interactions, answer, patience=patience)
        server = Server(Litestar([handler], logging_config=None), host="127.0.0.1", port=0)
        server.start()
        self.slack.clicks.url = f"{server.url}/slack/interactions"
        return server

    def told(self) -> list[str]:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            said = [m["text"] for m in self.slack.visible(CHANNEL) if "ephemeral_for" in m]
            if said:
                return said
            time.sleep(0.02)
        return []


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn(users={"U0ADA": "ada", "U0BOB": "bob"}) as server:
        yield server


@pytest.fixture
def desk(engine: Engine, flights: Any, slack: StandIn, clock: SteppedClock) -> Iterator[Desk]:
    made = Desk(engine, slack, clock)
    server = made.serve(patience=10)
    for number in (0, 1):
        flights.day(number, loss=2.0)
    clock.advance_to(FIRST + 2 * DAY)
    made.worker.run_once()
    yield made
    server.stop()


def test_acknowledge_takes_the_incident_and_says_so(desk: Desk, flights: Any) -> None:
    assert desk.click("ack") == 200
    desk.worker.run_once()

    standing = flights.incident().standing
    assert (standing.state, standing.acked_by) == (S.ACKED, "ada")
    (root,) = desk.slack.messages(CHANNEL)
    (reply,) = desk.slack.replies(CHANNEL, root["ts"])
    assert "acknowledged by ada" in root["text"]
    assert reply["text"] == "Acknowledged by ada."


def test_clicks_are_answered_in_less_than_half_a_second(desk: Desk, flights: Any) -> None:
    number = flights.incident().id
    for _ in range(10):
        desk.click("ack")
        desk.click("snooze", value=f"{number}.1.1h")

    assert sorted(desk.seconds)[len(desk.seconds) // 2] < 0.5


@ON_SQLITE
def test_a_click_that_must_wait_for_the_database_is_answered_first(
    desk: Desk, flights: Any
) -> None:
    server = desk.serve(patience=0.1)
    with write(desk.engine):
        assert desk.click("ack") == 200
        assert flights.incident().state is S.OPEN
    deadline = time.monotonic() + 10
    while flights.incident().state is not S.ACKED and time.monotonic() < deadline:
        time.sleep(0.02)
    server.stop()

    assert flights.incident().state is S.ACKED


@ON_SQLITE
def test_the_second_to_acknowledge_is_told_who_was_first(desk: Desk, flights: Any) -> None:
    desk.click("ack")
    assert desk.click("ack", user="U0BOB") == 200

    assert flights.incident().standing.acked_by == "ada"
    assert desk.told() == ["Nothing was changed: already acknowledged by ada."]


@pytest.mark.parametrize(
    ("choice", "until", "condition"),
    [
        ("1h", timedelta(hours=1), None),
        ("1d", DAY, None),
        ("labels", 14 * DAY, "next labels"),
        ("worse", 14 * DAY, "25 % worse"),
    ],
)
@ON_SQLITE
def test_snooze_has_an_end(
    desk: Desk, flights: Any, choice: str, until: timedelta, condition: str | None
) -> None:
    desk.click("snooze", value=f"{flights.incident().id}.1.{choice}")

    standing = flights.incident().standing
    assert standing.state is S.SNOOZED
    assert standing.snoozed_until == desk.clock.now() + until
    assert standing.snooze_condition == condition


@ON_SQLITE
def test_a_snooze_ends_by_its_time(desk: Desk, flights: Any) -> None:
    desk.click("snooze", value=f"{flights.incident().id}.1.1h")
    with write(desk.engine) as session:
        assert sweep(session, {"flights": flights.settings}, now=desk.clock.now()) == []
        later = desk.clock.now() + timedelta(hours=1)
        (change,) = sweep(session, {"flights": flights.settings}, now=later)

    assert change.after is S.OPEN


@ON_SQLITE
def test_a_snooze_ends_with_the_next_labels(desk: Desk, flights: Any) -> None:
    desk.click("snooze", value=f"{flights.incident().id}.1.labels")
    flights.day(2, loss=None, mature=False)
    assert flights.incident().state is S.SNOOZED
    flights.day(2, loss=2.0, revision=1)

    assert flights.incident().state is S.OPEN


@ON_SQLITE
def test_a_snooze_ends_when_it_gets_a_quarter_worse(desk: Desk, flights: Any) -> None:
    desk.click("snooze", value=f"{flights.incident().id}.1.1d")
    flights.day(2, loss=2.4)
    assert flights.incident().state is S.SNOOZED
    flights.day(3, loss=2.6)

    assert flights.incident().state is S.OPEN
    assert "30% worse" in [row.text for row in flights.deliveries() if row.kind == "reply"][-1]


@ON_SQLITE
def test_not_useful_is_kept_as_a_verdict(desk: Desk, flights: Any) -> None:
    desk.click("noise")

    assert flights.incident().standing.verdict is Verdict.NOISE
    assert desk.told()[0].startswith("Thank you.")


def test_ten_clicks_on_retrain_by_three_people_start_one_run(desk: Desk) -> None:
    threads = [
        threading.Thread(target=desk.click, args=("retrain",), kwargs={"user": f"U0{number % 3}"})
        for number in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(desk.runs) == 1


def _request(slack: StandIn) -> bytes:
    (root,) = slack.messages(CHANNEL)
    payload = slack.clicks._payload(CHANNEL, root["ts"], "incident.ack", user="U0ADA", value=None)
    return urlencode({"payload": json.dumps(payload)}).encode()


def test_a_replayed_request_does_nothing_a_second_time(desk: Desk, flights: Any) -> None:
    body = _request(desk.slack)
    headers = desk.slack.clicks.sign(body)
    assert desk.slack.clicks.send(body, headers=headers) == 200
    revision = flights.incident().standing.revision
    assert desk.slack.clicks.send(body, headers=headers) == 200

    assert flights.incident().standing.revision == revision
    with read(desk.engine) as session:
        assert session.scalar(select(func.count()).select_from(ClickRow)) == 1


HOSTILE: list[tuple[str, Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]], int]] = [
    ("no headers", lambda _h, b: ({"X-Nothing": "1"}, b), 401),
    ("wrong signature", lambda h, b: (h | {"X-Slack-Signature": "v0=00"}, b), 401),
    ("other version", lambda h, b: (h | {"X-Slack-Signature": h["X-Slack-Signature"][1:]}, b), 401),
    ("not a number", lambda h, b: (h | {"X-Slack-Request-Timestamp": "soon"}, b), 401),
    ("a fraction", lambda h, b: (h | {"X-Slack-Request-Timestamp": "1.5"}, b), 401),
    ("a huge number", lambda h, b: (h | {"X-Slack-Request-Timestamp": "9" * 400}, b), 401),
    ("non-ascii digits", lambda h, b: (h | {"X-Slack-Request-Timestamp": "\u00b2"}, b), 401),
    ("non-ascii signature", lambda h, b: (h | {"X-Slack-Signature": "v0=\u00e9"}, b), 401),
    ("altered body", lambda h, b: (h, b + b"&x=1"), 401),
    ("non-utf-8 body", lambda h, _b: (h, b"\xff\xfe"), 401),
    ("ten megabytes", lambda h, _b: (h, b"x" * 10_000_000), 413),
]


@ON_SQLITE
@pytest.mark.parametrize(
    ("spoil", "status"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE]
)
def test_a_hostile_request_is_refused(desk: Desk, flights: Any, spoil: Any, status: int) -> None:
    body = _request(desk.slack)
    headers, body = spoil(desk.slack.clicks.sign(body), body)
    try:
        got = desk.slack.clicks.send(body, headers=headers)
    except OSError:
        got = 413  # The server closed the connection before all of it was sent.

    assert got == status
    assert flights.incident().state is S.OPEN


@ON_SQLITE
@pytest.mark.parametrize("age", [-301, 400])
def test_a_stale_or_future_request_is_refused(desk: Desk, age: int) -> None:
    """The future one is far away: on a busy machine it takes a while to arrive."""
    body = _request(desk.slack)
    headers = desk.slack.clicks.sign(body, at=time.time() + age)

    assert desk.slack.clicks.send(body, headers=headers) == 401


@ON_SQLITE
@pytest.mark.parametrize(
    "payload",
    [
        "",
        "payload=",
        "payload=[]",
        "payload=%7B%7D",
        "payload=" + "[" * 100_000,
        "payload=" + json.dumps({"type": "block_actions", "actions": [None, {}]}),
        "payload=" + json.dumps({"type": "view_submission"}),
        "payload="
        + json.dumps(
            {
                "type": "block_actions",
                "user": {"id": "U0ADA"},
                "actions": [{"action_id": "incident.launch", "value": "1.1"}],
            }
        ),
        "payload="
        + json.dumps(
            {
                "type": "block_actions",
                "user": {"id": "U0ADA"},
                "actions": [{"action_id": "incident.ack", "value": "999999.1"}],
            }
        ),
    ],
)
def test_a_signed_request_that_asks_for_nothing_known_changes_nothing(
    desk: Desk, flights: Any, payload: str
) -> None:
    assert desk.slack.clicks.send(payload.encode()) == 200
    assert flights.incident().state is S.OPEN


@given(body=st.binary(max_size=400), stamp=st.text(max_size=20), signature=st.text(max_size=80))
@settings(max_examples=300)
def test_no_request_makes_the_verification_raise(body: bytes, stamp: str, signature: str) -> None:
    headers = {"X-Slack-Request-Timestamp": stamp, "x-slack-signature": signature}

    assert is_from_slack(body, headers, secrets=[SECRET], now=1e9) is False
    assert presses_in(body) == []


@pytest.mark.parametrize(("age", "good"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_a_request_is_good_for_five_minutes(age: int, good: bool) -> None:
    slack = StandIn(signing_secret=SECRET)
    headers = slack.clicks.sign(b"body", at=1e9 + age)
    slack.stop()

    assert is_from_slack(b"body", headers, secrets=[SECRET], now=1e9) is good


def test_an_old_secret_is_good_while_it_is_being_changed() -> None:
    slack = StandIn(signing_secret="old")
    headers = slack.clicks.sign(b"body", at=1e9)
    slack.stop()

    assert is_from_slack(b"body", headers, secrets=["new", "old"], now=1e9)
    assert not is_from_slack(b"body", headers, secrets=["new", ""], now=1e9)


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("http://169.254.169.254/latest", "https://slack.com/api/"),
        ("https://hooks.slack.com.evil.example/", "https://slack.com/api/"),
        ("http://127.0.0.1:22/", "https://slack.com/api/"),
        ("http://127.0.0.1:22/", "http://127.0.0.1:8931/api/"),
        ("file:///etc/passwd", "http://127.0.0.1:8931/api/"),
    ],
)
def test_a_request_cannot_choose_whom_we_call(url: str, base_url: str) -> None:
    assert whisper(url, "hello", base_url=base_url) is False
