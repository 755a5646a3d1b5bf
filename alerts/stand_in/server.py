"""The stand-in's HTTP server: Slack's Web API below ``/api/``, and the channel page at ``/``."""

from __future__ import annotations

import json
import math
import socket
import struct
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from alerts.stand_in.api import METHODS, OPEN_VIEW
from alerts.stand_in.clicks import Clicks
from alerts.stand_in.faults import Fault, FaultKind, FaultPlan
from alerts.stand_in.limits import RateLimits
from alerts.stand_in.page import asset, page, state
from alerts.stand_in.socket import Sockets, accept_key
from alerts.stand_in.views import Views
from alerts.stand_in.workspace import RefusedError, Workspace

_MAX_BODY = 20_000_000
_HTML = b"<!doctype html><title>Down</title><h1>Something went wrong</h1>"


class StandIn:
    """Slack on this machine, in threads of this process.

    Parameters
    ----------
    port
        0 takes a free one.
    channels, users
        Names by ID; without ``channels`` every well-formed ID is a channel.
    history_lag
        Seconds before a message shows up in history.
    rate_limits
        Whether calls are limited as Slack limits them.
    interactivity_url
        Where clicks are sent, signed with ``signing_secret``.

    Examples
    --------
    >>> from alerts.channels.slack import make_client
    >>> with StandIn() as slack:
    ...     client = make_client("xoxb-stand-in", base_url=slack.base_url)
    ...     posted = client.chat_postMessage(channel="C0FLIGHTS", text="All is well.")
    ...     [message["text"] for message in slack.messages("C0FLIGHTS")]
    ['All is well.']
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        channels: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        history_lag: float = 0.0,
        rate_limits: bool = False,
        interactivity_url: str | None = None,
        signing_secret: str = "stand-in-signing-secret",  # noqa: S107  of a stand-in
    ) -> None:
        self.workspace = Workspace(channels=channels, users=users, history_lag=history_lag)
        self.faults = FaultPlan()
        self.limits = RateLimits(on=rate_limits)
        self.revoked = False
        self.scopes_missing: set[str] = set()
        self.calls: list[str] = []
        self.sockets = Sockets()
        self.views = Views(self.workspace)
        self.clicks = Clicks(
            self.workspace,
            url=interactivity_url,
            secret=signing_secret,
            sockets=self.sockets,
            views=self.views,
        )
        self._server = _Server((host, port), self)
        self.clicks.origin = self.url.rstrip("/")
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def start(self) -> StandIn:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering and free the port."""
        with self.workspace.changed:
            self._server.stopping = True
            self.sockets.drop()
            self.workspace.changed.notify_all()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=5)
        self._server.server_close()

    def __enter__(self) -> StandIn:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address of the channel page."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    @property
    def base_url(self) -> str:
        """Address of the Web API, for ``WebClient(base_url=…)``."""
        return f"{self.url}api/"

    def visible(self, channel: str) -> list[dict[str, Any]]:
        """Return every message of a channel, replies too, oldest first."""
        return self.workspace.visible(channel)

    def messages(self, channel: str) -> list[dict[str, Any]]:
        """Return the messages of a channel that open threads, oldest first."""
        return [message for message in self.visible(channel) if "thread_ts" not in message]

    def replies(self, channel: str, ts: str) -> list[dict[str, Any]]:
        """Return the replies in a thread, oldest first."""
        return [message for message in self.visible(channel) if message.get("thread_ts") == ts]

    def edits(self, channel: str, ts: str) -> list[dict[str, Any]]:
        """Return what a message said before each of its edits."""
        return self.workspace.edits(channel, ts)

    def answer(self, method: str, given: Mapping[str, Any], token: str) -> dict[str, Any]:
        """Return what Slack would answer to a call, ``ok`` and all."""
        refusal = _refusal(self, method, token)
        if refusal is not None:
            return {"ok": False, "error": refusal}
        try:
            if method == OPEN_VIEW:
                return {"ok": True, **self.views.open(given)}
            return {"ok": True, **METHODS[method](self.workspace, given)}
        except RefusedError as exc:
            detail = {"response_metadata": {"messages": [exc.detail]}} if exc.detail else {}
            return {"ok": False, "error": exc.error, **detail}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self.stopping = False
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: callers that hang up are what this server is for."""


class _Replying(BaseHTTPRequestHandler):
    """Reads bodies and writes replies."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "stand-in"

    def log_message(self, *_: Any) -> None:
        """Keep no log; the workspace is the ledger."""

    def _throttle(self, retry_after: str | None) -> None:
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        body = json.dumps({"ok": False, "error": "ratelimited"}).encode()
        self._reply(body, "application/json", status=429, headers=headers)

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(min(length, _MAX_BODY))

    def _reply_json(self, answer: Mapping[str, Any]) -> None:
        self._reply(json.dumps(answer).encode(), "application/json; charset=utf-8")

    def _reply(
        self,
        body: bytes,
        kind: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Cache-Control", "no-store")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Handler(_Replying):
    def do_GET(self) -> None:
        """Serve the page, its data, its events, and API calls by GET."""
        path = urlsplit(self.path).path
        if path.startswith("/api/"):
            self._api(path.removeprefix("/api/"))
        elif path == "/events":
            self._events()
        elif path == "/link":
            self._link()
        elif path == "/state.json":
            self._reply_json(state(self.server.stand_in.workspace, self.server.stand_in.views))
        elif path.startswith("/files/"):
            self._file(path.removeprefix("/files/"))
        elif path == "/":
            found = page(self.server.stand_in.workspace, self.server.stand_in.views)
            self._reply(found, "text/html; charset=utf-8")
        else:
            self._asset(path.removeprefix("/assets/"))

    def do_POST(self) -> None:
        """Serve API calls, uploads, clicks, and answers to clicks."""
        path = urlsplit(self.path).path
        stand_in = self.server.stand_in
        if path.startswith("/api/"):
            self._api(path.removeprefix("/api/"))
        elif path.startswith("/upload/"):
            self._upload(path.removeprefix("/upload/"))
        elif path == "/click":
            click = json.loads(self._body() or b"{}")
            self._reply_json(stand_in.clicks.from_page(click))
        elif path == "/form":
            sent = json.loads(self._body() or b"{}")
            self._reply_json(stand_in.clicks.form_from_page(sent))
        elif path.startswith("/response/"):
            stand_in.clicks.respond(path.removeprefix("/response/"), json.loads(self._body()))
            self._reply_json({"ok": True})
        else:
            self._reply(b"not found", "text/plain", status=HTTPStatus.NOT_FOUND)

    def _api(self, method: str) -> None:
        stand_in = self.server.stand_in
        given = {**self._arguments(), "_origin": self._origin()}
        stand_in.calls.append(method)
        wait = stand_in.limits.wait(method, str(given.get("channel", "")))
        if wait:
            self._throttle(str(math.ceil(wait)))
            return
        fault = stand_in.faults.next(method)
        if fault is not None and not fault.after:
            self._go_wrong(fault, {"ok": False})
            return
        token = str(given.get("token") or self.headers.get("Authorization") or "")
        answer = stand_in.answer(method, given, token)
        if fault is None:
            self._reply_json(answer)
        else:
            self._go_wrong(fault, answer)

    def _go_wrong(self, fault: Fault, answer: Mapping[str, Any]) -> None:
        kind = fault.kind
        if kind is FaultKind.THROTTLE:
            self._throttle(fault.retry_after)
        elif kind is FaultKind.REFUSE:
            self._reply_json({"ok": False, "error": fault.error})
        elif kind in (FaultKind.STATUS, FaultKind.HTML):
            status = fault.status if kind is FaultKind.STATUS else 200
            self._reply(_HTML, "text/html", status=status)
        elif kind is FaultKind.EMPTY:
            self._reply(b"", "application/json")
        elif kind is FaultKind.TRUNCATED:
            body = json.dumps(answer).encode()
            self._reply(body[: len(body) // 2], "application/json", length=len(body))
        if kind is FaultKind.HANG:
            time.sleep(fault.seconds)
        if kind is FaultKind.RESET:
            # Lingering for no time at all makes the kernel send a reset instead of a farewell.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        if kind in (FaultKind.DROP, FaultKind.HANG, FaultKind.TRUNCATED, FaultKind.RESET):
            self.close_connection = True

    def _arguments(self) -> dict[str, Any]:
        query = parse_qs(urlsplit(self.path).query)
        given: dict[str, Any] = {name: values[-1] for name, values in query.items()}
        body = self._body()
        if "json" in (self.headers.get("Content-Type") or ""):
            return given | dict(json.loads(body or b"{}"))
        form = parse_qs(body.decode("utf-8", "replace"))
        given |= {name: values[-1] for name, values in form.items()}
        for name in ("blocks", "metadata", "files", "view"):
            if isinstance(given.get(name), str):
                given[name] = json.loads(given[name])
        return given

    def _origin(self) -> str:
        return self.server.stand_in.url.rstrip("/")

    def _upload(self, key: str) -> None:
        stored = self.server.stand_in.workspace.files.get(key)
        if stored is None:
            self._reply(b"not found", "text/plain", status=HTTPStatus.NOT_FOUND)
            return
        stored["content"] = self._body()
        self._reply(f"OK - {len(stored['content'])}".encode(), "text/plain")

    def _file(self, key: str) -> None:
        stored = self.server.stand_in.workspace.files.get(unquote(key))
        if stored is None:
            self._reply(b"not found", "text/plain", status=HTTPStatus.NOT_FOUND)
        else:
            self._reply(stored["content"], "image/png")

    def _asset(self, name: str) -> None:
        found = asset(name)
        if found is None:
            self._reply(b"not found", "text/plain", status=HTTPStatus.NOT_FOUND)
        else:
            self._reply(found[0], found[1])

    def _link(self) -> None:
        """Become a WebSocket, for Socket Mode."""
        self.close_connection = True
        self.send_response(HTTPStatus.SWITCHING_PROTOCOLS)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        key = accept_key(self.headers.get("Sec-WebSocket-Key") or "")
        self.send_header("Sec-WebSocket-Accept", key)
        self.end_headers()
        self.server.stand_in.sockets.serve(self.connection)

    def _events(self) -> None:
        """Tell the page of every change, for as long as it listens."""
        workspace = self.server.stand_in.workspace
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        seen = -1
        while not self.server.stopping:
            with workspace.changed:
                if workspace.revision == seen:
                    workspace.changed.wait(timeout=15)
                seen = workspace.revision
            try:
                self.wfile.write(f"data: {seen}\n\n".encode())
                self.wfile.flush()
            except OSError:
                return


def _refusal(stand_in: StandIn, method: str, token: str) -> str | None:
    if not token:
        return "not_authed"
    if stand_in.revoked:
        return "token_revoked"
    if method in stand_in.scopes_missing:
        return "missing_scope"
    return None if method in {*METHODS, OPEN_VIEW} else "unknown_method"
