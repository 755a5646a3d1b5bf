from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from alerts.channels.apprise import AppriseChannel
from alerts.channels.outcome import FoundKind, OutcomeKind, Parcel
from alerts.message import Message
from alerts.model import DeliveryKind
from alerts.story import Story
from service.check import check_project
from service.cli.channel import try_one
from watchkeeper.errors import ConfigurationError, DeliveryError

KEY = "the-key-of-the-test"


class Ear(HTTPServer):
    """Hears JSON and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[dict[str, object]] = []
        self.status = 202
        self.address = f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Ear

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(json.loads(body))
        answer = b'{"status": "success"}'
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def ear() -> Iterator[Ear]:
    with Ear() as ear:
        threading.Thread(target=ear.serve_forever, daemon=True).start()
        yield ear
        ear.shutdown()


@pytest.fixture
def home(tmp_path: Path, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "watchkeeper.yaml").write_text(
        f"webhooks: {{ops: {{url: 'http://{ear.address}/in'}}}}\n"
        f"pagerduty: {{ops: {{url: 'http://{ear.address}'}}}}\n"
        "apprise: {phones: {}}\n"
    )
    monkeypatch.setenv("WATCHKEEPER_WEBHOOKS__OPS__SECRET", KEY)
    monkeypatch.setenv("WATCHKEEPER_PAGERDUTY__OPS__KEY", KEY)
    monkeypatch.setenv("WATCHKEEPER_APPRISE__PHONES__URLS", f"json://{ear.address}/{KEY}")
    return tmp_path


@pytest.mark.parametrize("destination", ["webhook:ops", "pagerduty:ops", "apprise:phones"])
def test_one_marked_message_is_sent_and_reported(
    home: Path, ear: Ear, capsys: pytest.CaptureFixture[str], destination: str
) -> None:
    try_one(destination, home)

    assert capsys.readouterr().out.startswith(f"{destination} accepted it (")
    assert "[TEST]" in json.dumps(ear.heard[0])


def test_a_test_of_pagerduty_calls_nobody_for_long(home: Path, ear: Ear) -> None:
    try_one("pagerduty:ops", home)

    trigger, resolve = ear.heard
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, "the address does not take messages (http_404)"),
        (429, "too many messages just now; try again later (http_429)"),
        (500, "it may have arrived; look there (http_500)"),
        (422, "the form of the message was refused (http_422)"),
    ],
)
def test_it_says_in_one_line_what_went_wrong(
    home: Path, ear: Ear, status: int, expected: str
) -> None:
    ear.status = status
    with pytest.raises(DeliveryError) as refused:
        try_one("webhook:ops", home)

    assert str(refused.value) == f"webhook:ops: {expected}"


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("mail:a@b.example", "expected one of slack:#channel"),
        ("email:a@b.example", "email is not configured; expected one of: webhook, pagerduty"),
        ("webhook:opps", "does not take messages \\(no_such_webhook\\)"),
    ],
)
def test_what_is_not_there_is_one_clear_line(home: Path, destination: str, expected: str) -> None:
    with pytest.raises((ConfigurationError, DeliveryError), match=expected):
        try_one(destination, home)


def test_apprise_is_told_once_and_its_no_is_not_taken_for_a_loss(
    ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    story = Story(thread="t", name="n", severity="page", topic="t", subject="s", text="the story")
    channel = AppriseChannel({"phones": [f"json://{ear.address}/{KEY}"]})

    def parcel(kind: DeliveryKind) -> Parcel:
        return Parcel(
            delivery_id="d", kind=kind, address="phones", message=Message(text="x"), story=story
        )

    with caplog.at_level(logging.DEBUG):
        assert channel.send(parcel(DeliveryKind.ROOT)).kind is OutcomeKind.SENT
        assert channel.send(parcel(DeliveryKind.UPDATE)).kind is OutcomeKind.NOTHING_TO_SAY
        ear.status = 500
        assert channel.send(parcel(DeliveryKind.REPLY)).kind is OutcomeKind.AMBIGUOUS
    assert channel.find(parcel(DeliveryKind.ROOT)).kind is FoundKind.CANNOT_LOOK
    assert [said["message"] for said in ear.heard] == ["the story", "the story"]
    assert KEY not in "".join(line.message for line in caplog.records if line.name == "apprise")


def test_an_address_that_apprise_does_not_know_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError) as refused:
        AppriseChannel({"phones": ["json://127.0.0.1", f"nonsense{KEY}"]})

    assert str(refused.value) == ("apprise.phones.urls: Apprise does not understand address 2 of 2")


def test_a_check_of_the_project_finds_what_apprise_does_not_understand(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_project(home, dict(os.environ)) == []
    monkeypatch.setenv("WATCHKEEPER_APPRISE__PHONES__URLS", f"nonsense{KEY}")
    (error,) = check_project(home, dict(os.environ))

    assert "apprise.phones.urls: Apprise does not understand address 1 of 1" in str(error)
    assert KEY not in str(error)
