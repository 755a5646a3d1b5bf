"""A web address as a channel: signed JSON, with a key by which a repeat is known."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from alerts.channels.http import TIMEOUT, Answer, classify, post
from alerts.channels.outcome import Found, FoundKind, Outcome, OutcomeKind, Parcel
from alerts.story import Story

#: Version of the form of the body.
VERSION = 1
SIGNATURE = "Watchkeeper-Signature"
TIMESTAMP = "Watchkeeper-Timestamp"

_LONGEST_BODY = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """An address and the key of its signatures."""

    url: str
    secret: bytes

    def __repr__(self) -> str:
        return "Hook(…)"


class WebhookChannel:
    """Web addresses by the names that destinations call them.

    Parameters
    ----------
    clock
        Wall time in seconds since 1970, for the signature.
    """

    def __init__(
        self,
        hooks: Mapping[str, Hook],
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._hooks = hooks
        self._timeout = timeout
        self._clock = clock

    def send(self, parcel: Parcel) -> Outcome:
        """Post the message once."""
        hook = self._hooks.get(parcel.address)
        if hook is None:
            return Outcome(kind=OutcomeKind.BAD_DESTINATION, error="no_such_webhook")
        body = encode(parcel)
        timestamp = str(int(self._clock()))
        headers = {
            "Idempotency-Key": parcel.delivery_id,
            TIMESTAMP: timestamp,
            SIGNATURE: sign(hook.secret, timestamp, body),
        }
        answer = post(hook.url, body, headers, timeout=self._timeout)
        outcome = classify(answer) if isinstance(answer, Answer) else answer
        if outcome.kind is not OutcomeKind.SENT:
            return outcome
        return Outcome(kind=OutcomeKind.SENT, channel=parcel.address, ts=parcel.delivery_id)

    def find(self, parcel: Parcel) -> Found:
        """Nobody has to look: the receiver knows a repeat by its key."""
        del parcel
        return Found(kind=FoundKind.REPEATABLE)


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the signature of a body: HMAC-SHA256 (RFC 2104) over the timestamp, a dot and it.

    Examples
    --------
    >>> sign(b"a-secret-of-16-or-more", "1370088000", b"{}")[:19]
    'v1=69194f22b09668cf'
    """
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()


def encode(parcel: Parcel) -> bytes:
    """Return the body: one JSON object, at most 64 KiB."""
    content = _content(parcel)
    body = _dump(content)
    if len(body) > _LONGEST_BODY:
        body = _dump({**content, "facts": {}, "lines": [], "details": {}})
    return body


def _content(parcel: Parcel) -> dict[str, Any]:
    story = parcel.story or Story(
        thread="", name="", severity="", topic="", subject="", text=parcel.message.text
    )
    return {
        "version": VERSION,
        "id": parcel.delivery_id,
        "kind": str(parcel.kind),
        "drill": "drill" in parcel.labels,
        "thread": story.thread,
        "name": story.name,
        "severity": story.severity,
        "state": story.state,
        "revision": parcel.labels.get("revision", 0),
        "subject": story.subject,
        "text": story.text,
        "news": story.news,
        "facts": dict(story.facts),
        "lines": list(story.lines),
        "link": story.link,
        "details": dict(story.details or {}),
    }


def _dump(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
