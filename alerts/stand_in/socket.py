"""The stand-in's side of Socket Mode: a WebSocket (RFC 6455), and envelopes that are confirmed."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA


def accept_key(key: str) -> str:
    """Return what a server answers to a client's ``Sec-WebSocket-Key``.

    Examples
    --------
    The example of RFC 6455, section 1.3:

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


class Sockets:
    """The open connections of apps; each envelope goes to one of them, as Slack does it."""

    def __init__(self) -> None:
        self._open: list[socket.socket] = []
        self._confirmed: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()

    @property
    def connected(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def tell(
        self, payload: Mapping[str, Any], *, patience: float, key: str | None = None
    ) -> dict[str, Any] | None:
        """Send a click to one connection; return what confirmed it, or None if nothing did in time.

        Parameters
        ----------
        key
            Of the envelope; the same again is a click that is told twice.
        """
        key = key or uuid.uuid4().hex
        envelope = {
            "envelope_id": key,
            "type": "interactive",
            "accepts_response_payload": payload.get("type") == "view_submission",
            "payload": payload,
        }
        until = time.monotonic() + patience
        with self._changed:
            self._confirmed.pop(key, None)
            if not self._open:
                return None
            _send(self._open[-1], _TEXT, json.dumps(envelope).encode())
            while key not in self._confirmed and time.monotonic() < until:
                self._changed.wait(until - time.monotonic())
            return self._confirmed.get(key)

    def refresh(self) -> None:
        """Ask every app to connect anew, as Slack does every few hours."""
        with self._changed:
            for connection in self._open:
                _send(connection, _TEXT, b'{"type":"disconnect","reason":"refresh_requested"}')

    def drop(self) -> None:
        """Break all connections without a word."""
        with self._changed:
            for connection in self._open:
                connection.shutdown(socket.SHUT_RDWR)

    def serve(self, connection: socket.socket) -> None:
        """Speak with one app until it goes."""
        _send(connection, _TEXT, b'{"type":"hello","num_connections":1}')
        with self._changed:
            self._open.append(connection)
        try:
            while (frame := _receive(connection)) is not None:
                kind, data = frame
                if kind == _PING:
                    _send(connection, _PONG, data)
                elif kind == _TEXT:
                    self._confirm(data)
                elif kind == _CLOSE:
                    return
        except OSError:
            return
        finally:
            with self._changed:
                self._open.remove(connection)

    def _confirm(self, data: bytes) -> None:
        answer = json.loads(data)
        with self._changed:
            self._confirmed[str(answer.get("envelope_id"))] = answer.get("payload") or {}
            self._changed.notify_all()


def _send(connection: socket.socket, kind: int, data: bytes) -> None:
    head = struct.pack("!B", 0x80 | kind)
    if len(data) < 126:
        head += struct.pack("!B", len(data))
    elif len(data) < 65536:
        head += struct.pack("!BH", 126, len(data))
    else:
        head += struct.pack("!BQ", 127, len(data))
    connection.sendall(head + data)


def _receive(connection: socket.socket) -> tuple[int, bytes] | None:
    """Read one frame of a client, which is masked; None at the end."""
    head = _exactly(connection, 2)
    if head is None:
        return None
    size = head[1] & 0x7F
    if size >= 126:
        wide = _exactly(connection, 2 if size == 126 else 8) or b""
        size = int.from_bytes(wide, "big")
    mask = (_exactly(connection, 4) or b"") if head[1] & 0x80 else bytes(4)
    data = _exactly(connection, size) if size else b""
    if data is None:
        return None
    return head[0] & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    found = b""
    while len(found) < size:
        piece = connection.recv(size - len(found))
        if not piece:
            return None
        found += piece
    return found
