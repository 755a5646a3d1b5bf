"""Slack over its Web API: one call per attempt, and every outcome told apart."""

from __future__ import annotations

import http.client
import ipaddress
import logging
import math
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse, WebClient

from alerts.channels.outcome import Found, FoundKind, Outcome, OutcomeKind, Parcel
from alerts.model import DeliveryKind

#: Seconds for one call; a lease must be longer.
TIMEOUT = 10
EVENT_TYPE = "watchkeeper_incident"

_SKEW = 60.0
_PAGES = 10
_UNKNOWN_WAIT = 30.0
_LONGEST_WAIT = 3600.0
_KINDS = {
    OutcomeKind.THROTTLED: {"ratelimited", "rate_limited", "message_limit_exceeded"},
    OutcomeKind.AMBIGUOUS: {
        "fatal_error", "internal_error", "service_unavailable", "request_timeout",
    },
    OutcomeKind.UNRENDERABLE: {
        "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long",
        "invalid_attachments", "no_text", "metadata_too_large", "invalid_metadata_format",
        "markdown_text_conflict",
    },
    OutcomeKind.BAD_DESTINATION: {
        "channel_not_found", "is_archived", "not_in_channel", "restricted_action",
        "restricted_action_read_only_channel", "user_not_found", "cannot_dm_bot",
        "posting_to_general_channel_denied", "messages_tab_disabled",
    },
    OutcomeKind.BAD_CREDENTIALS: {
        "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive",
        "missing_scope", "no_permission", "org_login_required", "ekm_access_denied",
        "access_denied", "team_access_not_granted", "accesslimited",
    },
    OutcomeKind.ROOT_GONE: {
        "message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found",
        "cannot_reply_to_message",
    },
}  # fmt: skip
_BY_ERROR = {error: kind for kind, errors in _KINDS.items() for error in errors}
_BLIND = {"missing_scope", "not_allowed_token_type", "not_in_channel", "method_not_supported"}


class SlackChannel:
    """Slack as a channel.

    Parameters
    ----------
    client
        As ``make_client`` makes it: without retries of its own.
    default_channel
        Channel of models that name none.
    """

    def __init__(self, client: WebClient, *, default_channel: str | None = None) -> None:
        self._client = client
        self._default_channel = default_channel

    def send(self, parcel: Parcel) -> Outcome:
        """Post, edit or reply once."""
        channel = self._channel(parcel)
        if channel is None:
            return Outcome(kind=OutcomeKind.BAD_DESTINATION, error="no_channel_configured")
        try:
            response = self._call(parcel, channel)
        except (SlackClientError, OSError, http.client.HTTPException, ValueError) as exc:
            return classify(exc)
        ts = response.get("ts")
        if not isinstance(ts, str) or not ts:
            return Outcome(kind=OutcomeKind.AMBIGUOUS, error="no_ts")
        return Outcome(
            kind=OutcomeKind.SENT, channel=str(response.get("channel") or channel), ts=ts
        )

    def find(self, parcel: Parcel) -> Found:
        """Look for the parcel's delivery_id in the metadata of the newest messages."""
        channel = self._channel(parcel)
        if channel is None:
            return Found(kind=FoundKind.CANNOT_LOOK)
        try:
            return self._search(parcel, channel)
        except SlackApiError as exc:
            outcome = classify(exc)
            blind = outcome.error in _BLIND
            return Found(
                kind=FoundKind.CANNOT_LOOK if blind else FoundKind.FAILED,
                retry_after=outcome.retry_after,
                error=outcome.error,
            )
        except (SlackClientError, OSError, http.client.HTTPException, ValueError) as exc:
            return Found(kind=FoundKind.FAILED, error=type(exc).__name__)

    def _channel(self, parcel: Parcel) -> str | None:
        if parcel.root is not None:
            return parcel.root[0]
        return self._default_channel if parcel.address == "default" else parcel.address

    def _call(self, parcel: Parcel, channel: str) -> SlackResponse:
        content: dict[str, Any] = {
            "text": parcel.message.text,
            "blocks": list(parcel.message.blocks),
            "metadata": {
                "event_type": EVENT_TYPE,
                "event_payload": {"delivery_id": parcel.delivery_id, **parcel.labels},
            },
        }
        if parcel.kind is DeliveryKind.UPDATE and parcel.root is not None:
            return self._client.chat_update(channel=channel, ts=parcel.root[1], **content)
        if parcel.kind is DeliveryKind.REPLY and parcel.root is not None:
            content["thread_ts"] = parcel.root[1]
            content["reply_broadcast"] = parcel.broadcast
        return self._client.chat_postMessage(
            channel=channel, unfurl_links=False, unfurl_media=False, **content
        )

    def _search(self, parcel: Parcel, channel: str) -> Found:
        oldest = f"{parcel.first_try_at - _SKEW:.6f}"
        query: dict[str, Any] = {
            "channel": channel, "oldest": oldest, "limit": 200, "include_all_metadata": True,
        }  # fmt: skip
        method: Callable[..., SlackResponse] = self._client.conversations_history
        if parcel.kind is DeliveryKind.REPLY and parcel.root is not None:
            query["ts"] = parcel.root[1]
            method = self._client.conversations_replies
        for _ in range(_PAGES):
            page = method(**query)
            for message in page.get("messages") or ():
                payload = (message.get("metadata") or {}).get("event_payload") or {}
                if payload.get("delivery_id") == parcel.delivery_id:
                    return Found(
                        kind=FoundKind.FOUND,
                        channel=channel,
                        ts=message["ts"],
                        revision=int(payload.get("revision") or 0),
                    )
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return Found(kind=FoundKind.ABSENT)
            query["cursor"] = cursor
        return Found(kind=FoundKind.FAILED, error="history_too_long")


def classify(exc: Exception) -> Outcome:
    """Return what an exception of a call says about the message.

    Whatever is not known to have failed before the request was sent may have arrived.
    """
    if isinstance(exc, SlackApiError):
        return _classify_answer(exc)
    cause = exc.reason if isinstance(exc, urllib.error.URLError) else exc
    never_left = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
    if isinstance(cause, never_left) or isinstance(exc, SlackClientError):
        return Outcome(kind=OutcomeKind.NOT_SENT, error=type(cause).__name__)
    return Outcome(kind=OutcomeKind.AMBIGUOUS, error=type(cause).__name__)


def _classify_answer(exc: SlackApiError) -> Outcome:
    response = exc.response
    status = int(getattr(response, "status_code", 0) or 0)
    data = response.data if isinstance(getattr(response, "data", None), dict) else {}
    error = str(data.get("error", ""))
    kind = _BY_ERROR.get(error)
    if status == 429 or kind is OutcomeKind.THROTTLED:
        wait = retry_after(response.headers)
        return Outcome(kind=OutcomeKind.THROTTLED, retry_after=wait, error="ratelimited")
    if kind is not None:
        return Outcome(kind=kind, error=error)
    if status == 200 and data.get("ok") is False and error.isidentifier():
        # An answer of Slack's own that no table knows: it was refused, so it was not posted.
        return Outcome(kind=OutcomeKind.UNRENDERABLE, error=error)
    return Outcome(kind=OutcomeKind.AMBIGUOUS, error=f"http_{status}")


def retry_after(headers: Any) -> float:
    """Return how many seconds to wait, from 1 to 3600; 30 when nobody can tell.

    Examples
    --------
    >>> [retry_after({"Retry-After": text}) for text in ("7", "1.5", "-3", "soon", "1e12")]
    [7.0, 1.5, 1.0, 30.0, 3600.0]
    """
    values = {str(name).lower(): value for name, value in dict(headers or {}).items()}
    given = values.get("retry-after")
    given = given[0] if isinstance(given, list) and given else given
    try:
        seconds = float(str(given))
    except ValueError:
        return _UNKNOWN_WAIT
    if not math.isfinite(seconds):
        return _UNKNOWN_WAIT
    return min(max(seconds, 1.0), _LONGEST_WAIT)


def make_client(token: str, *, base_url: str, timeout: int = TIMEOUT) -> WebClient:
    """Return a client that calls once: the outbox owns every retry.

    Parameters
    ----------
    token
        Bot token; it appears in no message, log or error.
    base_url
        Address of the Web API, with its final slash.
    timeout
        Seconds for one call; a lease must be longer.
    """
    kind = _DirectClient if is_loopback(base_url) else WebClient
    return kind(
        token=token, base_url=base_url, timeout=timeout, retry_handlers=[], logger=quiet_logger()
    )


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this very machine.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8931/api/"), is_loopback("https://slack.com/api/")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _DirectClient(WebClient):
    """A client that reaches this machine itself, whatever proxy the environment names."""

    _opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _perform_urllib_http_request_internal(
        self, url: str, req: urllib.request.Request
    ) -> dict[str, Any]:
        del url
        with self._opener.open(req, timeout=self.timeout) as response:
            body = response.read().decode(response.headers.get_content_charset() or "utf-8")
            return {"status": response.code, "headers": response.headers, "body": body}


def quiet_logger() -> logging.Logger:
    """Return a logger for the library that says nothing."""
    # The library logs each failed call as an error, with the answer; the outbox keeps the ledger.
    logger = logging.getLogger("alerts.channels.slack.sdk")
    logger.setLevel(logging.CRITICAL)
    return logger
