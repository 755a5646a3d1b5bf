"""The server binds first, answers, and says plainly when it cannot."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from service.server import Server, bind
from watchkeeper.errors import ConfigurationError, ConflictError


async def hello(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def test_it_answers_once_it_has_started_and_not_after_it_has_stopped() -> None:
    server = Server(hello, host="127.0.0.1", port=0)
    server.start()
    with urllib.request.urlopen(server.url, timeout=5) as answer:
        assert answer.read() == b"hello"
    server.stop()

    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(server.url, timeout=1)


def test_a_taken_port_is_one_clear_line() -> None:
    first = bind("127.0.0.1", 0)
    port = first.getsockname()[1]
    try:
        with pytest.raises(ConflictError, match=f"port {port} on 127.0.0.1 is taken"):
            bind("127.0.0.1", port)
    finally:
        first.close()


@pytest.mark.parametrize(("host", "port"), [("203.0.113.1", 0), ("127.0.0.1", 99999)])
def test_an_impossible_address_is_one_clear_line(host: str, port: int) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        bind(host, port)
