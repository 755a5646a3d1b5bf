"""Logs are JSON lines in a file and never show what a frame held."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from service.telemetry import configure_logs


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_traceback_in_the_log_shows_no_local_values(tmp_path: Path) -> None:
    file = tmp_path / "log"
    configure_logs(file=file)

    def fail(token: str) -> None:
        raise ValueError("broken")

    try:
        fail("xoxb-secret")
    except ValueError:
        structlog.get_logger("test").exception("failed")

    line = json.loads(file.read_text())
    assert line["event"] == "failed"
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert "xoxb-secret" not in file.read_text()


def test_the_standard_library_logs_into_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "log"
    configure_logs(file=file)

    logging.getLogger("uvicorn.error").warning("port %d", 8000)

    assert json.loads(file.read_text())["event"] == "port 8000"
