"""Slack's Socket Mode: clicks come over a connection that this side has opened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RDWR

import structlog
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from alerts.channels.slack import is_loopback, make_client, quiet_logger
from alerts.interactions import Answer, Interactions
from alerts.presses import presses_of

log = structlog.get_logger(__name__)

_WORKERS = 4
#: A connection that answers no ping for four of these is opened anew.
_PING_EVERY = 2.5


class SlackSocket:
    """Hears clicks by Socket Mode and does what they ask for; lost connections are renewed.

    Each click is confirmed before it is worked on, for Slack waits three seconds; one that is told
    twice is done once, like everywhere.

    Parameters
    ----------
    app_token
        ``xapp-…``.
    whisper
        ``(response_url, words)``: words for the person who pressed.
    """

    def __init__(
        self,
        app_token: str,
        *,
        base_url: str,
        interactions: Interactions,
        whisper: Callable[[str, str], object],
    ) -> None:
        self._interactions = interactions
        self._whisper = whisper
        self._app_token = app_token
        self._base_url = base_url
        self._client: SocketModeClient | None = None

    def keep_open(self) -> int:
        """Open the connection if there is none; for a loop. Always 0: it may rest now.

        Raises
        ------
        SlackApiError, OSError
            There is none, and none can be opened now.
        """
        if self._client is not None and self._client.is_connected():
            return 0
        if self._client is None:
            self._client = self._make()
            self._client.connect()
            log.info("socket_open")
        # From here on the client renews its connections by itself.
        return 0

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.auto_reconnect_enabled = False
            session = self._client.current_session
            if session is not None and session.sock is not None:
                # Its reader keeps the lock that closing needs until something comes, or for
                # three seconds; it wakes up when the socket ends.
                with suppress(OSError):
                    session.sock.shutdown(SHUT_RDWR)
            self._client.close()
            self._client = None

    def _make(self) -> SocketModeClient:
        client = SocketModeClient(
            app_token=self._app_token,
            web_client=make_client(self._app_token, base_url=self._base_url),
            logger=quiet_logger(),
            concurrency=_WORKERS,
            ping_interval=_PING_EVERY,
        )
        if is_loopback(self._base_url):
            client.proxy = None
        client.socket_mode_request_listeners.append(self._hear)
        return client

    def _hear(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        presses = presses_of(request.payload) if request.type == "interactive" else []
        # Only the confirmation of a form can say what is wrong with it, so it waits for that.
        asked = any(press.form for press in presses)
        if not asked:
            client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        try:
            answer: Answer = self._interactions.perform(presses)
        except Exception:
            # The person clicks again; a thread of the library must not die of one click.
            log.exception("press_failed")
            return
        if asked:
            body = None if answer.body is None else dict(answer.body)
            client.send_socket_mode_response(
                SocketModeResponse(envelope_id=request.envelope_id, payload=body)
            )
        if answer.words and answer.response_url:
            self._whisper(answer.response_url, answer.words)
