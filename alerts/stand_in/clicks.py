"""Clicks on buttons: signed as Slack signs them, and sent to whoever listens."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from alerts.stand_in.socket import Sockets
from alerts.stand_in.views import Views
from alerts.stand_in.workspace import RefusedError, Workspace

_PATIENCE = 3.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Clicks:
    """Presses buttons for people.

    Parameters
    ----------
    url
        Where clicks are sent; None when nobody listens.
    secret
        Signing secret, known to the listener.
    sockets
        Connections of Socket Mode; while one is open, clicks go there, as they do on Slack.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        url: str | None,
        secret: str,
        sockets: Sockets,
        views: Views,
    ) -> None:
        self._workspace = workspace
        self._views = views
        self._sockets = sockets
        self.url = url
        self.origin = ""
        self._secret = secret
        self._waiting: dict[str, tuple[str, str, str]] = {}

    def click(
        self, channel: str, ts: str, action_id: str, *, user: str, value: str | None = None
    ) -> tuple[int, float]:
        """Press a button of a message and return the HTTP status and how many seconds it took.

        Raises
        ------
        RefusedError
            There is no such button, or nobody listens.
        """
        if self.url is None and not self._sockets.connected:
            raise RefusedError("no_interactivity_url")
        began = time.monotonic()
        status, _ = self._tell(self._payload(channel, ts, action_id, user=user, value=value))
        return status, time.monotonic() - began

    def submit(self, view: str, values: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Send a form with these options chosen; return what is wrong with them, by block.

        Raises
        ------
        RefusedError
            There is no such form, nobody listens, or nobody takes it.
        """
        status, answer = self._tell(self._views.submission(view, values))
        if status != 200:
            raise RefusedError("view_not_taken", f"status {status}")
        return self._views.answered(view, answer)

    def send(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> int:
        """Send a raw body, signed unless ``headers`` say otherwise, and return the status."""
        return self._post(body, headers or self.sign(body))[0]

    def _tell(self, payload: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Tell whoever listens what a person did; return the status, and the answer's body."""
        if self._sockets.connected:
            heard = self._sockets.tell(payload, patience=_PATIENCE)
            return (504, {}) if heard is None else (200, heard)
        body = urlencode({"payload": json.dumps(payload)}).encode()
        status, text = self._post(body, self.sign(body))
        try:
            answer = json.loads(text or b"{}")
        except ValueError:
            answer = {}
        return status, answer if isinstance(answer, dict) else {}

    def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        if self.url is None:
            raise RefusedError("no_interactivity_url")
        request = urllib.request.Request(  # noqa: S310  the address is the listener's own
            self.url, data=body, headers=dict(headers), method="POST"
        )
        try:
            with _OPENER.open(request, timeout=_PATIENCE) as response:
                return int(response.status), response.read()
        except urllib.error.HTTPError as exc:
            return exc.code, b""

    def sign(self, body: bytes, *, at: float | None = None) -> dict[str, str]:
        """Return the headers that prove a body to come from here."""
        stamp = str(int(time.time() if at is None else at))
        base = b":".join([b"v0", stamp.encode(), body])
        digest = hmac.new(self._secret.encode(), base, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={digest}",
        }

    def from_page(self, click: Mapping[str, Any]) -> dict[str, Any]:
        """Press a button for the person at the page."""
        try:
            status, seconds = self.click(
                str(click.get("channel")),
                str(click.get("ts")),
                str(click.get("action_id")),
                user=str(click.get("user") or "U0YOU"),
                value=click.get("value"),
            )
        except (RefusedError, OSError) as exc:
            return {"ok": False, "error": str(exc) or type(exc).__name__}
        return {"ok": status == 200, "status": status, "seconds": round(seconds, 3)}

    def form_from_page(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Send or close a form for the person at the page."""
        key, values = str(sent.get("view")), sent.get("values")
        if values is None:
            self._views.close(key)
            return {"ok": True, "errors": {}}
        try:
            return {"ok": True, "errors": self.submit(key, values)}
        except (RefusedError, OSError) as exc:
            return {"ok": False, "error": str(exc) or type(exc).__name__}

    def respond(self, key: str, content: Mapping[str, Any]) -> None:
        """Show the listener's answer to a click, to the person who clicked."""
        if key not in self._waiting:
            return
        channel, ts, user = self._waiting[key]
        message = self._workspace.post(channel, {**content, "thread_ts": ts})
        with self._workspace.changed:
            message["ephemeral_for"] = user

    def _payload(
        self, channel: str, ts: str, action_id: str, *, user: str, value: str | None
    ) -> dict[str, Any]:
        room = self._workspace.room(channel)
        message = room.messages.get(ts)
        if message is None:
            raise RefusedError("message_not_found", ts)
        block, element = _find(message, action_id)
        key = uuid.uuid4().hex
        self._waiting[key] = (channel, ts, user)
        action = {
            "action_id": action_id,
            "block_id": block.get("block_id", ""),
            "type": element["type"],
            "action_ts": f"{time.time():.6f}",
        }
        if element["type"] == "static_select":
            action["selected_option"] = {"value": value or element["options"][0]["value"]}
        else:
            action["value"] = value or element.get("value", "")
        return {
            "type": "block_actions",
            "team": {"id": "T0STANDIN"},
            "user": {"id": user, "username": self._workspace.users.get(user, user)},
            "channel": {"id": channel, "name": room.name},
            "container": {"type": "message", "message_ts": ts, "channel_id": channel},
            "message": {"ts": ts, "text": message["text"]},
            "response_url": f"{self.origin}/response/{key}",
            "trigger_id": self._views.trigger(user),
            "actions": [action],
        }


def _find(message: Mapping[str, Any], action_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    for block in message["blocks"]:
        for element in block.get("elements", ()):
            if element.get("action_id") == action_id:
                return block, element
    raise RefusedError("action_not_found", action_id)
