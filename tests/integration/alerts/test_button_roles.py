from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from litestar import Litestar
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from alerts.channels.slack import SlackChannel, make_client
from alerts.channels.slack_whisper import whisper
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.interactions import Interactions
from alerts.model import Incident, IncidentState
from alerts.permission import Link, Permission, SlackLinks
from alerts.rows import ClickRow
from alerts.slack_socket import SlackSocket
from alerts.stand_in import StandIn
from service.cli import slack as slack_commands
from service.server import Server
from service.start import open_service
from service.web.slack import interactions_handler
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read, write
from watchkeeper.migrations import upgrade

CHANNEL = "C0FLIGHTS"
SECRET = "stand-in-signing-secret"
DAY = timedelta(days=1)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn(users={"U0ADA": "ada", "U0BOB": "bob"}) as server:
        yield server


class Room:
    """A page in a channel, and people who press its buttons by either way."""

    def __init__(self, engine: Engine, slack: StandIn, clock: SteppedClock) -> None:
        self.engine, self.slack, self.clock = engine, slack, clock
        self.runs: list[str] = []

    def retrain(self, _session: Session, _incident: Incident, actor: str, _key: str) -> str:
        self.runs.append(actor)
        return "Retrain run 1 is queued."

    def interactions(self, **permission: Any) -> Interactions:
        return Interactions(
            self.engine,
            self.clock,
            secrets=[SECRET],
            retrain=self.retrain,
            wall=time.time,
            permission=Permission(**permission),
        )

    def click(self, action: str, user: str = "U0ADA", value: str | None = None) -> float:
        (root,) = self.slack.messages(CHANNEL)
        status, seconds = self.slack.clicks.click(
            CHANNEL, root["ts"], f"incident.{action}", user=user, value=value
        )
        assert status == 200
        return seconds

    def told(self, number: int = 1) -> list[str]:
        deadline = time.monotonic() + 10
        said: list[str] = []
        while len(said) < number and time.monotonic() < deadline:
            said = [m["text"] for m in self.slack.visible(CHANNEL) if "ephemeral_for" in m]
            time.sleep(0.02)
        return said

    def clicks(self) -> list[tuple[str | None, str, str | None]]:
        with read(self.engine) as session:
            rows = session.scalars(select(ClickRow).order_by(ClickRow.action)).all()
        return [(row.user, row.action, row.refused) for row in rows]


@pytest.fixture
def room(engine: Engine, flights: Any, slack: StandIn, clock: SteppedClock) -> Room:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    clock.advance_to(flights.window(1).window.end)
    channel = SlackChannel(make_client("xoxb-test", base_url=slack.base_url))
    how = Delivering(limits=UNLIMITED, interactive=True)
    Deliverer(engine, {"slack": channel}, owner="w", how=how).run_once()
    return Room(engine, slack, clock)


@pytest.fixture
def by_request(room: Room, slack: StandIn) -> Iterator[Callable[..., None]]:
    servers = []

    def serve(**permission: Any) -> None:
        answer = partial(whisper, base_url=slack.base_url)
        handler = interactions_handler(room.interactions(**permission), answer, patience=10)
        server = Server(Litestar([handler], logging_config=None), host="127.0.0.1", port=0)
        server.start()
        servers.append(server)
        slack.clicks.url = f"{server.url}/slack/interactions"

    yield serve
    for server in servers:
        server.stop()


@pytest.fixture
def by_socket(room: Room, slack: StandIn) -> Iterator[Callable[..., SlackSocket]]:
    sockets = []

    def connect(**permission: Any) -> SlackSocket:
        opened = SlackSocket(
            "xapp-test",
            base_url=slack.base_url,
            interactions=room.interactions(**permission),
            whisper=partial(whisper, base_url=slack.base_url),
        )
        sockets.append(opened)
        opened.keep_open()
        wait_until(lambda: slack.sockets.connected == len(sockets))
        return opened

    yield connect
    for opened in sockets:
        opened.close()


def wait_until(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_while_nobody_is_linked_whoever_reads_the_channel_may_press(
    room: Room, flights: Any, by_request: Callable[..., None]
) -> None:
    by_request()
    assert room.click("ack") < 0.5 * 4  # Half a second, on a machine that does nothing else.

    assert flights.incident().standing.acked_by == "ada"
    assert room.clicks() == [("U0ADA", "ack", None)]


def test_from_the_first_link_on_others_are_refused_and_told_why(
    room: Room, flights: Any, by_request: Callable[..., None]
) -> None:
    with write(room.engine) as session:
        link = Link(user="U0ADA", name="Ada Byron", role="responder")
        SlackLinks(session).add(link, by="root", at=room.clock.now())
    by_request()
    room.click("ack", "U0BOB")
    assert flights.incident().state is IncidentState.OPEN
    (words,) = room.told()
    assert words.startswith("You may not do this: you are not linked to anybody here.")
    room.click("ack")
    assert flights.incident().standing.acked_by == "Ada Byron"
    room.click("retrain")
    assert room.runs == []
    assert room.told(2)[-1] == (
        "You may not do this: it needs the role operator, and you have responder."
    )
    found = {(user, action): refused is None for user, action, refused in room.clicks()}
    assert found == {("U0BOB", "ack"): False, ("U0ADA", "ack"): True, ("U0ADA", "retrain"): False}


@ON_SQLITE
def test_settings_may_give_roles_and_ask_for_links(
    room: Room, flights: Any, by_request: Callable[..., None]
) -> None:
    by_request(linked_only=True, roles={"U0BOB": "operator"})
    room.click("ack")
    assert flights.incident().state is IncidentState.OPEN
    room.click("retrain", "U0BOB")

    assert room.runs == ["bob"]


@ON_SQLITE
def test_what_the_state_refuses_is_written_down_too(
    room: Room, by_request: Callable[..., None]
) -> None:
    by_request()
    room.click("ack")
    room.click("ack", "U0BOB")

    assert ("U0BOB", "ack", "already acknowledged by ada") in room.clicks()


def test_clicks_come_over_the_socket_and_are_confirmed_at_once(
    room: Room, flights: Any, by_socket: Callable[..., SlackSocket]
) -> None:
    by_socket()
    seconds = room.click("ack")
    wait_until(lambda: flights.incident().state is IncidentState.ACKED)
    room.click("ack", "U0BOB")

    assert seconds < 2
    assert room.told() == ["Nothing was changed: already acknowledged by ada."]


@ON_SQLITE
def test_an_envelope_that_is_told_twice_counts_once(
    room: Room, flights: Any, slack: StandIn, by_socket: Callable[..., SlackSocket]
) -> None:
    by_socket()
    (root,) = slack.messages(CHANNEL)
    payload = slack.clicks._payload(CHANNEL, root["ts"], "incident.retrain", user="U0", value=None)
    for _ in range(3):
        assert slack.sockets.tell(payload, patience=3, key="the same") is not None
    wait_until(lambda: bool(room.runs))
    assert room.told()

    assert len(room.runs) == 1
    assert len(room.clicks()) == 1


@ON_SQLITE
@pytest.mark.parametrize("how", ["drop", "refresh"])
def test_a_connection_that_ends_is_renewed(
    room: Room, flights: Any, slack: StandIn, by_socket: Callable[..., SlackSocket], how: str
) -> None:
    by_socket()
    opened = slack.calls.count("apps.connections.open")
    getattr(slack.sockets, how)()
    wait_until(lambda: slack.calls.count("apps.connections.open") > opened)
    (root,) = slack.messages(CHANNEL)

    def press_again() -> bool:
        # Slack shows the person an error while nobody is connected, and the person clicks again.
        if not slack.sockets.connected:
            return False
        return slack.clicks.click(CHANNEL, root["ts"], "incident.ack", user="U0ADA")[0] == 200

    wait_until(press_again)

    wait_until(lambda: flights.incident().state is IncidentState.ACKED)


@ON_SQLITE
def test_strange_envelopes_change_nothing(
    room: Room, flights: Any, slack: StandIn, by_socket: Callable[..., SlackSocket]
) -> None:
    by_socket()
    for payload in ({}, {"type": "block_actions"}, {"type": "block_actions", "actions": [None]}):
        assert slack.sockets.tell(payload, patience=3) is not None

    assert flights.incident().state is IncidentState.OPEN


def test_links_are_made_listed_and_removed_by_commands(tmp_path: Any) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "watchkeeper.yaml").write_text("{}\n")
    (tmp_path / "models" / "flights.yaml").write_text(
        "model: flights\ntask: binary\nowner: {name: Ada}\ntimestamp: at\n"
        "prediction: {score: s}\nlabel: {column: late, delay: 1d}\nwindows: {size: 1d}\n"
        "tolerance: {metric: roc_auc, drop: 0.02}\n"
    )
    service = open_service(tmp_path, {})
    upgrade(service.engine)
    service.engine.dispose()
    run = CliRunner().invoke
    home = ["--home", str(tmp_path)]

    assert "Nobody is linked" in run(slack_commands.app, ["links", *home]).output
    made = run(slack_commands.app, ["link", "U0ADA", "--role", "operator", "--name", "ada", *home])
    assert made.output == "U0ADA may press as operator\n"
    assert run(slack_commands.app, ["links", *home]).output == "U0ADA  operator  ada\n"
    assert run(slack_commands.app, ["unlink", "U0ADA", *home]).exit_code == 0
    assert run(slack_commands.app, ["unlink", "U0ADA", *home]).exception is not None
    assert run(slack_commands.app, ["link", "ada", *home]).exception is not None
