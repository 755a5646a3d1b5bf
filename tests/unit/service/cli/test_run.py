"""The command line: quick to ask for help, and whatever goes wrong is one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from service.cli import commands
from service.cli import run as command_line
from watchkeeper.errors import NotFoundError

HEAVY = {
    "altair", "deltalake", "duckdb", "ibis", "litestar", "numpy", "onnxruntime", "pandas",
    "pyarrow", "scipy", "sklearn", "sqlalchemy", "uvicorn", "vl_convert",
}  # fmt: skip


def loaded_by(*arguments: str) -> set[str]:
    code = (
        "import json, sys; from service.cli.run import run; "
        f"run({list(arguments)!r}); json.dump(sorted(sys.modules), sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True)
    return set(json.loads(done.stderr))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_imports_nothing_heavy_and_no_command(arguments: list[str]) -> None:
    modules = loaded_by(*arguments)

    assert not HEAVY & modules
    assert not {command.module for command in commands.COMMANDS} & modules


@pytest.mark.parametrize("command", commands.COMMANDS, ids=lambda command: command.name)
def test_every_command_loads_and_explains_itself(
    command: commands.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.run([command.name, "--help"]) == 0
    assert f"watchkeeper {command.name}" in capsys.readouterr().out


def test_commands_are_listed_once_with_a_sentence() -> None:
    names = [command.name for command in commands.COMMANDS]

    assert len(names) == len(set(names))
    assert all(command.help.endswith(".") for command in commands.COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["chekc"], "watchkeeper: No such command 'chekc'"),
        (["check", "--nope"], "watchkeeper: No such option: --nope"),
        (["init"], "watchkeeper: Missing argument"),
    ],
)
def test_a_typing_error_is_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.run(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(line)
    assert error.count("\n") == 1


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A command called `fail` that raises what its module's `error` says."""
    module = ModuleType("failing_command")
    module.error = RuntimeError("row 7 is 1234")  # type: ignore[attr-defined]

    def fail() -> None:
        raise module.error

    module.fail = fail  # type: ignore[attr-defined]
    command = commands.Command("fail", "failing_command", "Fail.")
    monkeypatch.setitem(sys.modules, "failing_command", module)
    monkeypatch.setitem(command_line._BY_NAME, "fail", command)
    return module


def test_an_expected_error_is_its_own_line(
    failing: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.error = NotFoundError("model", "churn", known=["flights"])

    assert command_line.run(["fail"]) == 1
    assert capsys.readouterr().err == "watchkeeper: no model 'churn'; there is: flights\n"


def test_an_unexpected_error_is_one_line_and_its_traceback_a_file(
    failing: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.run(["fail"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("watchkeeper: unexpected RuntimeError; the details are in ")
    assert error.count("\n") == 1
    details = Path(error.split(" in ")[1].strip())
    assert "row 7 is 1234" in details.read_text()
    assert details.stat().st_mode & 0o077 == 0
    details.unlink()


def test_a_developer_may_ask_for_the_traceback(
    failing: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_DEBUG", "1")

    with pytest.raises(RuntimeError, match="row 7"):
        command_line.run(["fail"])


def test_ctrl_c_ends_with_130_and_no_words(
    failing: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.error = KeyboardInterrupt()

    assert command_line.run(["fail"]) == 130
    assert capsys.readouterr().err == ""


def test_a_command_may_choose_its_exit_code(failing: ModuleType) -> None:
    failing.fail = lambda: 2

    assert command_line.run(["fail"]) == 2


def test_the_installed_program_ignores_modules_of_the_users_folder(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "__init__.py").write_text("raise SystemExit('wrong module')")
    program = Path(sys.executable).with_name("watchkeeper")

    done = subprocess.run(
        [program, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("watchkeeper ")
