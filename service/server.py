"""The HTTP server: one uvicorn in a thread, on a socket that is bound before all else starts."""

from __future__ import annotations

import errno
import socket
import threading
import time
from typing import Any

import uvicorn

from watchkeeper.errors import ConfigurationError, ConflictError, WatchkeeperError

_START_TIMEOUT = 20.0


class Server:
    """Serve ``app`` until stopped; requests in flight are finished first."""

    def __init__(self, app: Any, *, host: str, port: int) -> None:
        self._socket = bind(host, port)
        bound = self._socket.getsockname()
        self.host = host
        self.port: int = bound[1]
        config = uvicorn.Config(
            app,
            http="httptools",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="http", daemon=True
        )

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def start(self) -> None:
        """Start serving; returns once requests are answered."""
        self._thread.start()
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise WatchkeeperError("the web server did not start; its log says why")
            self._thread.join(0.01)

    def stop(self, timeout: float = 2.5) -> None:
        """Stop accepting, finish what is in flight, end the thread."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(timeout)
        self._socket.close()


def bind(host: str, port: int) -> socket.socket:
    """Bind a listening socket, or say in one line why that cannot be done.

    Raises
    ------
    ConflictError
        The port is taken.
    ConfigurationError
        The address is not one of this machine, or the port may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as exc:
        listener.close()
        if getattr(exc, "errno", None) == errno.EADDRINUSE:
            raise ConflictError(
                f"port {port} on {host} is taken by another program; "
                "stop it, or choose another port with --port or WATCHKEEPER_SERVER__PORT"
            ) from exc
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {exc}", field="server.host"
        ) from exc
    return listener
