"""The form behind "Not useful": by request and by socket, answered, refused, and abused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from litestar import Litestar
from sqlalchemy import Engine, func, select

from alerts import respond
from alerts.block_kit import view_problems
from alerts.channels.slack import SlackChannel, make_client
from alerts.channels.slack_forms import form_shower
from alerts.channels.slack_whisper import whisper
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.forms import not_useful
from alerts.interactions import Interactions
from alerts.model import Verdict
from alerts.permission import Permission
from alerts.rows import ClickRow
from alerts.slack_socket import SlackSocket
from alerts.stand_in import Fault, FaultKind, StandIn
from service.server import Server
from service.web.slack import interactions_handler
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read, write

CHANNEL = "C0FLIGHTS"
SECRET = "stand-in-signing-secret"
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Room:
    """A told incident, somebody who listens, and the person who presses "Not useful"."""

    def __init__(self, engine: Engine, slack: StandIn, clock: SteppedClock) -> None:
        self.engine, self.slack, self.clock = engine, slack, clock

    def interactions(self, **permission: Any) -> Interactions:
        return Interactions(
            self.engine,
            self.clock,
            secrets=[SECRET],
            retrain=None,
            wall=time.time,
            permission=Permission(**permission),
            show_form=form_shower("xoxb-test", base_url=self.slack.base_url),
        )

    def ask(self, user: str = "U0ADA") -> str | None:
        """Press the button and return the form that opens, if one does."""
        (root,) = self.slack.messages(CHANNEL)
        before = {form["view"]["id"] for form in self.slack.views.shown()}
        assert self.slack.clicks.click(CHANNEL, root["ts"], "incident.noise", user=user)[0] == 200
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            new = [f for f in self.slack.views.shown() if f["view"]["id"] not in before]
            if new:
                assert new[0]["user"] == user
                return str(new[0]["view"]["id"])
            if self.told():
                return None
            time.sleep(0.02)
        return None

    def send(self, form: str, choice: str) -> dict[str, str]:
        return self.slack.clicks.submit(form, {"reason": {"choice": choice}})

    def told(self) -> list[str]:
        return [m["text"] for m in self.slack.visible(CHANNEL) if "ephemeral_for" in m]


@pytest.fixture
def room(engine: Engine, flights: Any, slack: StandIn, clock: SteppedClock) -> Room:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    clock.advance_to(flights.window(1).window.end)
    channel = SlackChannel(make_client("xoxb-test", base_url=slack.base_url))
    how = Delivering(limits=UNLIMITED, interactive=True)
    Deliverer(engine, {"slack": channel}, owner="w", how=how).run_once()
    return Room(engine, slack, clock)


@pytest.fixture(params=["request", "socket"])
def listening(request: pytest.FixtureRequest, room: Room) -> Iterator[Callable[..., None]]:
    """Let somebody hear the clicks, by a request or over a socket."""
    ends: list[Callable[[], object]] = []
    answer = partial(whisper, base_url=room.slack.base_url)

    def listen(**permission: Any) -> None:
        interactions = room.interactions(**permission)
        if request.param == "socket":
            socket = SlackSocket(
                "xapp-test",
                base_url=room.slack.base_url,
                interactions=interactions,
                whisper=answer,
            )
            ends.append(socket.close)
            socket.keep_open()
            deadline = time.monotonic() + 10
            while not room.slack.sockets.connected and time.monotonic() < deadline:
                time.sleep(0.02)
            return
        handler = interactions_handler(interactions, answer, patience=10)
        server = Server(Litestar([handler], logging_config=None), host="127.0.0.1", port=0)
        server.start()
        ends.append(server.stop)
        room.slack.clicks.url = f"{server.url}/slack/interactions"

    yield listen
    for end in ends:
        end()


@pytest.mark.parametrize(
    ("choice", "verdict"),
    [("noise", Verdict.NOISE), ("known", Verdict.KNOWN), ("data_bug", Verdict.DATA_BUG)],
)
@ON_SQLITE
def test_the_reason_is_kept_as_the_verdict(
    room: Room, flights: Any, listening: Callable[..., None], choice: str, verdict: Verdict
) -> None:
    listening()
    form = room.ask()
    assert flights.incident().standing.verdict is None

    assert room.send(str(form), choice) == {}
    standing = flights.incident().standing
    assert (standing.verdict, standing.verdict_by) == (verdict, "Ada Byron")
    assert room.slack.views.shown() == []


@ON_SQLITE
def test_not_my_area_is_told_in_the_thread_and_is_no_verdict(
    room: Room, flights: Any, listening: Callable[..., None]
) -> None:
    listening()
    assert room.send(str(room.ask()), "not_mine") == {}

    assert flights.incident().standing.verdict is None
    said = [row.text for row in flights.deliveries() if row.kind == "reply"]
    assert said[-1] == "Ada Byron says that this is not theirs: somebody else should be told."


def test_what_is_wrong_is_said_in_the_form_and_it_stays_open(
    room: Room, flights: Any, listening: Callable[..., None], clock: SteppedClock
) -> None:
    listening()
    form = str(room.ask())
    assert room.send(form, "drop table") == {"reason": "Choose one of these."}
    with write(room.engine) as session:
        respond.end(session, flights.incident().id, "bob", now=clock.now())
        respond.judge(session, flights.incident().id, "bob", Verdict.USEFUL, now=clock.now())

    wrong = room.send(form, "noise")
    assert wrong["reason"].startswith("Nothing was changed: a closed incident cannot be judged")
    assert flights.incident().standing.verdict is Verdict.USEFUL


@ON_SQLITE
def test_who_may_not_judge_sees_no_form(
    room: Room, flights: Any, listening: Callable[..., None]
) -> None:
    listening(roles={"U0BOB": "viewer"})

    assert room.ask("U0BOB") is None
    assert room.told() == ["You may not do this: it needs the role responder, and you have viewer."]


@ON_SQLITE
def test_a_form_that_slack_does_not_show_is_said_to_the_person(
    room: Room, flights: Any, listening: Callable[..., None]
) -> None:
    listening()
    room.slack.faults.add("views.open", Fault(kind=FaultKind.REFUSE, error="expired_trigger_id"))

    assert room.ask() is None
    assert room.told() == ["The form could not be shown. Please press again."]


@ON_SQLITE
def test_a_form_that_is_sent_twice_counts_once(
    room: Room, flights: Any, listening: Callable[..., None]
) -> None:
    listening()
    payload = room.slack.views.submission(str(room.ask()), {"reason": {"choice": "known"}})
    for _ in range(3):
        assert room.slack.clicks._tell(payload)[0] == 200

    with read(room.engine) as session:
        assert session.scalar(select(func.count()).select_from(ClickRow)) == 1
    assert flights.incident().standing.verdict is Verdict.KNOWN


HOSTILE: list[dict[str, Any]] = [
    {"view": None},
    {"view": {"callback_id": "incident.not_useful", "id": "V1"}},
    {"view": {"callback_id": "incident.not_useful", "id": "V1", "private_metadata": "x" * 5000}},
    {"view": {"callback_id": "incident.not_useful", "id": "V1", "private_metadata": "999999.1"}},
    {"view": {"callback_id": "theirs", "id": "V1", "private_metadata": "1.1"}},
    {
        "view": {
            "callback_id": "incident.not_useful",
            "id": "V1",
            "private_metadata": "1.1",
            "state": {"values": {"reason": {"choice": {"selected_option": ["noise"]}}}},
        }
    },
]


@ON_SQLITE
@pytest.mark.parametrize("payload", HOSTILE)
def test_strange_forms_change_nothing(
    room: Room, flights: Any, listening: Callable[..., None], payload: dict[str, Any]
) -> None:
    listening()
    told = {"type": "view_submission", "user": {"id": "U0ADA"}, **payload}

    assert room.slack.clicks._tell(told)[0] == 200
    assert flights.incident().standing.verdict is None


@ON_SQLITE
def test_an_unsigned_form_is_refused(room: Room, flights: Any) -> None:
    handler = interactions_handler(room.interactions(), lambda _url, _words: None, patience=10)
    server = Server(Litestar([handler], logging_config=None), host="127.0.0.1", port=0)
    server.start()
    room.slack.clicks.url = f"{server.url}/slack/interactions"
    body = urlencode({"payload": json.dumps({"type": "view_submission", **HOSTILE[-1]})}).encode()
    status = room.slack.clicks.send(body, headers={"X-Slack-Signature": "v0=00"})
    server.stop()

    assert status == 401


def test_the_form_keeps_slacks_limits_whatever_the_model_is_called(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    view = not_useful(flights.incident(), "1." + "9" * 5000)

    assert view_problems(view) == []
    assert view_problems({**view, "title": {"type": "plain_text", "text": "x" * 25}})
