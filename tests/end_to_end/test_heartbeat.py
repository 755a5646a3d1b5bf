"""A worker process that gives signs of life, and is treated so that it must not."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from watchkeeper.database import make_engine
from watchkeeper.migrations import upgrade

WATCHKEEPER = Path(sys.executable).with_name("watchkeeper")
START = 240.0
MODEL = """\
model: flights
task: binary
owner: {name: Ada Byron, slack: U0ADA, channel: C0FLIGHTS}
timestamp: scheduled_at
prediction: {score: y_pred_proba}
label: {column: late, delay: 1d}
windows: {size: 1d}
tolerance: {metric: log_loss, rise: 20%}
"""


class Outside(ThreadingHTTPServer):
    """Somebody who waits for signs of life, and notes when they came."""

    def __init__(self) -> None:
        self.heard: list[float] = []
        super().__init__(("127.0.0.1", 0), _Ear)

    def hears_until(self, happened: Callable[[], bool], seconds: float = 90.0) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if happened():
                return True
            time.sleep(0.05)
        return False

    def is_silent_for(self, seconds: float, within: float = 60.0) -> bool:
        return self.hears_until(
            lambda: bool(self.heard) and time.monotonic() - self.heard[-1] > seconds, within
        )


class _Ear(BaseHTTPRequestHandler):
    server: Outside

    def do_GET(self) -> None:
        self.server.heard.append(time.monotonic())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def outside() -> Iterator[Outside]:
    server = Outside()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "watchkeeper.yaml").write_text("worker: {tick: 2s}\nheartbeat: {every: 1s}\n")
    (tmp_path / "models" / "flights.yaml").write_text(MODEL)
    engine = make_engine(f"sqlite:///{tmp_path / 'state' / 'watchkeeper.db'}")
    upgrade(engine)
    engine.dispose()
    return tmp_path


@pytest.fixture
def worker(home: Path, outside: Outside) -> Iterator[subprocess.Popen[bytes]]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("WATCHKEEPER_")}
    url = f"http://127.0.0.1:{outside.server_port}/ping/secret-of-the-test"
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [WATCHKEEPER, "worker", "--home", home],
            env={**environ, "WATCHKEEPER_HEARTBEAT__URL": url},
            stderr=log,
        )
    try:
        began = outside.hears_until(lambda: len(outside.heard) >= 3, START)
        assert began, (home / "log").read_text()
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.crash
def test_signs_of_life_stop_with_the_worker_and_with_what_it_must_do(
    worker: subprocess.Popen[bytes], outside: Outside, home: Path
) -> None:
    worker.send_signal(signal.SIGSTOP)
    assert outside.is_silent_for(4)
    worker.send_signal(signal.SIGCONT)
    before = len(outside.heard)
    assert outside.hears_until(lambda: len(outside.heard) > before + 1)

    with sqlite3.connect(home / "state" / "watchkeeper.db", timeout=30) as database:
        database.execute("ALTER TABLE deliveries RENAME TO lost")
    database.close()
    assert outside.is_silent_for(4)

    with sqlite3.connect(home / "state" / "watchkeeper.db", timeout=30) as database:
        database.execute("ALTER TABLE lost RENAME TO deliveries")
    database.close()
    before = len(outside.heard)
    assert outside.hears_until(lambda: len(outside.heard) > before + 1)

    worker.kill()
    assert outside.is_silent_for(4)
    assert "secret-of-the-test" not in (home / "log").read_text()
