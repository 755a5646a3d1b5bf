"""The demo started where it should not, and ended where it did not expect it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

WATCHKEEPER = Path(sys.executable).with_name("watchkeeper")
ENVIRON = {k: v for k, v in os.environ.items() if not k.startswith("WATCHKEEPER_")}


def demo(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [WATCHKEEPER, "demo", "--once", "--no-browser", *map(str, arguments)],
        env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(said)


@pytest.mark.parametrize("words", ["Writing a project", "Training version 1", "Replaying"])
def test_ctrl_c_ends_it_within_three_seconds_without_a_traceback(
    tmp_path: Path, words: str
) -> None:
    process = demo("--home", tmp_path / "home", "--port", "0")
    read_until(process, words)
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, errors = process.communicate(timeout=60)

    assert time.monotonic() - asked < 3
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_training_does_not_outlive_the_demo(tmp_path: Path) -> None:
    process = demo("--home", tmp_path / "home", "--port", "0")
    read_until(process, "Training version 1")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 30
    while not (found := children.read_text().split()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{child}").exists() for child in found):
        assert time.monotonic() < deadline, "the training process is still there"
        time.sleep(0.05)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    process = demo("--home", tmp_path)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert errors.strip().splitlines() == [
        f"watchkeeper: {tmp_path} exists and is not an empty folder; choose another"
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_place_that_cannot_be_written_is_one_clear_line() -> None:
    process = demo("--home", "/proc/watchkeeper-demo")
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert errors.startswith("watchkeeper: /proc/watchkeeper-demo: cannot be written")
    assert len(errors.strip().splitlines()) == 1


def test_a_second_run_replaces_the_first_and_two_at_once_are_refused(tmp_path: Path) -> None:
    first = demo("--home", tmp_path / "home", "--port", "0")
    read_until(first, "Training version 1")
    second = demo("--home", tmp_path / "home", "--port", "0")
    _, errors = second.communicate(timeout=60)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    third = demo("--home", tmp_path / "home", "--port", "0")
    said = read_until(third, "Training version 1")
    third.send_signal(signal.SIGINT)
    third.communicate(timeout=60)

    assert second.returncode == 1
    assert str(first.pid) in errors
    assert "Replacing the project of the last demo" in said


def test_a_token_for_slack_needs_a_channel_too(tmp_path: Path) -> None:
    environ = ENVIRON | {"WATCHKEEPER_SLACK_TOKEN": "xoxb-secret"}
    refused = subprocess.run(
        [WATCHKEEPER, "demo", "--once", "--home", tmp_path / "home", "--port", "0"],
        env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert refused.returncode == 1
    assert "WATCHKEEPER_SLACK_CHANNEL" in refused.stderr
    assert "xoxb-secret" not in refused.stdout + refused.stderr
    assert not (tmp_path / "home").exists()


def test_a_chosen_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        chosen = taken.getsockname()[1]
        refused = demo("--home", tmp_path / "one", "--port", chosen)
        _, errors = refused.communicate(timeout=60)

    assert refused.returncode == 1
    assert f"port {chosen} on 127.0.0.1 is taken" in errors
