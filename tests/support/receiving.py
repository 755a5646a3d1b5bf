"""A web server of this machine that takes webhooks and the events of PagerDuty."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from alerts.stand_in import Fault, FaultKind


class Receiver:
    """A web server that takes what it is sent, once per key, and goes wrong as it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Mapping[str, str], bytes]] = []
        self.accepted: dict[str, Any] = {}
        self.faults: list[Fault] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(self, dict(self.headers), body)

            def do_GET(self) -> None:
                receiver.calls.append(({}, b"a redirect was followed"))
                receiver.answer(self, 200, b"")

            def log_message(self, *_args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, request: BaseHTTPRequestHandler, headers: dict[str, str], body: bytes) -> None:
        self.calls.append((headers, body))
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or fault.after:
            data = json.loads(body)
            key = headers.get("Idempotency-Key") or f"{data['dedup_key']} {data['event_action']}"
            self.accepted.setdefault(key, data)
        if fault is None:
            self.answer(request, 202, b'{"status": "success"}')
        else:
            self.fail(request, fault)

    def fail(self, request: BaseHTTPRequestHandler, fault: Fault) -> None:
        if fault.kind is FaultKind.THROTTLE:
            wait = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
            self.answer(request, 429, b"", wait)
        elif fault.kind is FaultKind.STATUS:
            elsewhere = {"Location": f"{self.url}/inside"} if fault.status == 302 else {}
            self.answer(request, fault.status, b"<html>no</html>", elsewhere)
        elif fault.kind is FaultKind.HTML:
            self.answer(request, 200, b"<html>sign in</html>")
        else:
            if fault.kind is FaultKind.HANG:
                time.sleep(fault.seconds)
            if fault.kind is FaultKind.RESET:
                linger = struct.pack("ii", 1, 0)
                request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            request.close_connection = True
            request.connection.close()

    def answer(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
