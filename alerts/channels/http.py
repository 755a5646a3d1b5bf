"""One HTTP request to an address of the configuration, and what its answer says of the message."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from alerts.channels.outcome import Outcome, OutcomeKind
from alerts.channels.slack import is_loopback, retry_after

#: Seconds for one call; a lease must be longer.
TIMEOUT = 10
AGENT = "watchkeeper"

_LONGEST_ANSWER = 65_536
_FORM = {400, 406, 413, 415, 422}
_NEVER_LEFT = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back: the status, and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Where messages go is decided by the configuration, never by who answers there."""

    def redirect_request(self, *_args: object, **_more: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)
_DIRECT = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout: float = TIMEOUT
) -> Answer | Outcome:
    """Post JSON once; return the answer, or the outcome when there was none.

    Redirects are not followed, and the environment's proxy is not asked for this machine.
    """
    request = urllib.request.Request(url, data=body, method="POST")  # noqa: S310  checked at load
    plain = {"User-Agent": AGENT, "Content-Type": "application/json"}
    for name, value in (plain | dict(headers)).items():
        request.add_header(name, value)
    opener = _DIRECT if is_loopback(url) else _OPENER
    try:
        with opener.open(request, timeout=timeout) as response:
            text = response.read(_LONGEST_ANSWER)
            return Answer(status=response.status, headers=dict(response.headers), body=text)
    except urllib.error.HTTPError as exc:
        with exc:
            return Answer(status=exc.code, headers=dict(exc.headers), body=_rest(exc))
    except (OSError, http.client.HTTPException, ValueError) as exc:
        return _unanswered(exc)


def classify(answer: Answer) -> Outcome:
    """Return what an HTTP answer says about the message.

    Examples
    --------
    >>> [str(classify(Answer(status=code, headers={})).kind) for code in (202, 301, 422, 429, 503)]
    ['sent', 'bad_destination', 'unrenderable', 'throttled', 'ambiguous']
    """
    status, error = answer.status, f"http_{answer.status}"
    if 200 <= status < 300:
        return Outcome(kind=OutcomeKind.SENT)
    if status == 429:
        wait = retry_after(answer.headers)
        return Outcome(kind=OutcomeKind.THROTTLED, retry_after=wait, error=error)
    if status == 408 or status >= 500:
        return Outcome(kind=OutcomeKind.AMBIGUOUS, error=error)
    if status in _FORM:
        return Outcome(kind=OutcomeKind.UNRENDERABLE, error=error)
    return Outcome(kind=OutcomeKind.BAD_DESTINATION, error=error)


def _unanswered(exc: Exception) -> Outcome:
    cause = exc.reason if isinstance(exc, urllib.error.URLError) else exc
    known = isinstance(cause, _NEVER_LEFT)
    kind = OutcomeKind.NOT_SENT if known else OutcomeKind.AMBIGUOUS
    return Outcome(kind=kind, error=type(cause).__name__)


def _rest(exc: urllib.error.HTTPError) -> bytes:
    try:
        return exc.read(_LONGEST_ANSWER)
    except (OSError, http.client.HTTPException):
        return b""
