from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from watchkeeper.errors import ConfigurationError, ConflictError
from watchkeeper.home import HomeLock

HOLD = """
import sys, time
from pathlib import Path
from watchkeeper.home import HomeLock
with HomeLock(Path(sys.argv[1])):
    sys.stdout.write("held")
    sys.stdout.flush()
    time.sleep(60)
"""


@contextmanager
def another_process(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.read(4) == b"held"
        yield holder
        holder.kill()


@contextmanager
def without_privileges() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_home_is_made_when_it_is_missing(tmp_path: Path) -> None:
    with HomeLock(tmp_path / "new" / "home"):
        assert (tmp_path / "new" / "home").is_dir()


def test_two_processes_in_one_home_are_refused_by_name(tmp_path: Path) -> None:
    with another_process(tmp_path) as holder:
        with pytest.raises(ConflictError, match=f"in use by process {holder.pid}; stop"):
            HomeLock(tmp_path).__enter__()


def test_a_process_that_was_killed_leaves_the_home_free(tmp_path: Path) -> None:
    with another_process(tmp_path) as holder:
        holder.kill()
        holder.wait()

    with HomeLock(tmp_path):
        assert (tmp_path / "state" / "lock").read_text() == str(os.getpid())


def test_a_home_that_was_left_can_be_entered_again(tmp_path: Path) -> None:
    for _ in range(2):
        with HomeLock(tmp_path):
            pass


def test_a_home_is_refused_within_one_process_as_well(tmp_path: Path) -> None:
    with HomeLock(tmp_path):
        with pytest.raises(ConflictError, match=f"process {os.getpid()}"):
            HomeLock(tmp_path).__enter__()


def test_two_homes_do_not_disturb_each_other(tmp_path: Path) -> None:
    with HomeLock(tmp_path / "one"), HomeLock(tmp_path / "two"):
        pass


def test_a_home_without_write_access_is_one_clear_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o555)
    tmp_path.chmod(0o755)

    with without_privileges(), pytest.raises(ConfigurationError) as caught:
        HomeLock(home).__enter__()

    assert str(caught.value).startswith(f"{home}: cannot keep state here (Permission denied); ")
    assert "\n" not in str(caught.value)


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")

    with pytest.raises(ConfigurationError, match=r"home: cannot keep state here \(Not a directory"):
        HomeLock(tmp_path / "home").__enter__()
