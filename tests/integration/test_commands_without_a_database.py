"""Commands that look at a project say what to do when its database is not there yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.cli.run import run
from service.init.project import create

COMMANDS = [
    ["versions", "example"],
    ["rollback", "example"],
    ["retrain", "example"],
    ["token", "list"],
    ["token", "issue", "ada"],
    ["incidents", "list"],
    ["silence", "list"],
    ["db", "check"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_it_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    home = tmp_path / "project"
    create(home)

    assert run([*command, "--home", str(home)]) == 1

    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert "watchkeeper db upgrade" in said


def test_after_the_upgrade_they_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "project"
    create(home)

    assert run(["db", "upgrade", "--home", str(home)]) == 0
    assert run(["db", "check", "--home", str(home)]) == 0
    assert run(["incidents", "list", "--home", str(home)]) == 0
    assert run(["versions", "example", "--home", str(home)]) == 1
    assert "no model 'example'" in capsys.readouterr().err
