from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error

import pytest
from slack_sdk.errors import SlackRequestError

from alerts.channels.outcome import OutcomeKind
from alerts.channels.slack import classify, is_loopback, make_client


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (urllib.error.URLError(ConnectionRefusedError()), OutcomeKind.NOT_SENT),
        (urllib.error.URLError(socket.gaierror()), OutcomeKind.NOT_SENT),
        (urllib.error.URLError(ssl.SSLCertVerificationError()), OutcomeKind.NOT_SENT),
        (SlackRequestError("no such file"), OutcomeKind.NOT_SENT),
        (urllib.error.URLError(TimeoutError()), OutcomeKind.AMBIGUOUS),
        (TimeoutError(), OutcomeKind.AMBIGUOUS),
        (ConnectionResetError(), OutcomeKind.AMBIGUOUS),
        (BrokenPipeError(), OutcomeKind.AMBIGUOUS),
        (http.client.RemoteDisconnected(), OutcomeKind.AMBIGUOUS),
        (http.client.IncompleteRead(b"{"), OutcomeKind.AMBIGUOUS),
        (ValueError("not a number"), OutcomeKind.AMBIGUOUS),
    ],
)
def test_only_what_surely_never_left_counts_as_not_sent(exc: Exception, kind: OutcomeKind) -> None:
    assert classify(exc).kind is kind


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:80/api/", True),
        ("http://localhost/api/", True),
        ("http://[::1]:80/api/", True),
        ("http://10.0.0.1/api/", False),
        ("https://localhost.example.org/", False),
    ],
)
def test_it_knows_this_machine(url: str, here: bool) -> None:
    assert is_loopback(url) is here


def test_the_client_never_retries_by_itself() -> None:
    for url in ("http://127.0.0.1:1/api/", "https://slack.com/api/"):
        assert make_client("xoxb-test", base_url=url).retry_handlers == []
