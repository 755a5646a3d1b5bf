"""Run a project until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, Self

from service.running import Role, Running
from service.server import bind
from service.start import Say, open_service, prepare, train_missing
from service.telemetry import configure_logs
from watchkeeper.home import HomeLock
from watchkeeper.migrations import check
from watchkeeper.settings import Settings


def run(
    home: Path, environ: Mapping[str, str], *, roles: Iterable[Role], port: int | None, say: Say
) -> None:
    """Do what the roles ask for until SIGINT or SIGTERM.

    All roles together own the home: the database is upgraded and first versions are trained. A
    process of fewer roles shares its database with others and refuses one of another release.
    """
    chosen = frozenset(roles)
    service = open_service(home, environ, changes=lambda settings: _listen_on(settings, port))
    server = service.settings.server
    if chosen & {Role.SERVE, Role.WEB}:
        # A taken port is said before anything is trained.
        bind(server.host, server.port).close()
    configure_logs()
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal())
        if chosen == frozenset(Role):
            stack.enter_context(HomeLock(service.settings.home))
            prepare(service)
            train_missing(service, say)
        else:
            check(service.engine)
        running = Running(service=service, roles=chosen)
        stack.callback(running.stop)
        running.start()
        stop.listen()
        if running.server is not None:
            say(f"watchkeeper is at {running.server.url} (Ctrl-C ends it)")
            say(where_the_token_is(service.settings.ui.token_file))
        else:
            say("watchkeeper is at work (Ctrl-C ends it)")
        stop.wait()
        say("stopping")


def where_the_token_is(path: Path) -> str:
    """Say where the administrator's token is, or how one is made."""
    # Only `up` makes one by itself: of processes apart, each may have a disk of its own.
    if path.is_file():
        return f"the administrator's token is in {path}"
    return "tokens are made by: watchkeeper token issue NAME --role admin"


class StopSignal:
    """Turns SIGINT and SIGTERM into an orderly end, as a context manager.

    Before ``listen`` they raise KeyboardInterrupt, so that a start can be broken off at any line;
    after it ``wait`` returns on the first, and a second one no longer waits for an orderly end.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._listening = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Take the signals over."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen(self) -> None:
        """From now on the first signal is what ``wait`` waits for."""
        self._listening = True

    def wait(self) -> None:
        """Wait for the first signal after ``listen``."""
        self._stop.wait()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if not self._listening or self._stop.is_set():
            raise KeyboardInterrupt
        self._stop.set()


def _listen_on(settings: Settings, port: int | None) -> Settings:
    if port is None:
        return settings
    server = settings.server.model_copy(update={"port": port})
    return settings.model_copy(update={"server": server})
