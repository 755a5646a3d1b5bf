"""Runs a command; whatever goes wrong is one clear line on standard error, never a traceback."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import logging
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import Abort, TyperException

from service.cli.commands import COMMANDS, Command
from watchkeeper.errors import WatchkeeperError

DEBUG_VARIABLE = "WATCHKEEPER_DEBUG"
INTERRUPTED = 130
#: What DuckDB raises, as a plain RuntimeError, when Ctrl-C comes while it hands its rows over.
_BROKEN_OFF = "Query interrupted"
_LONG_RUNNING = frozenset({"demo", "up", "serve", "worker", "web"})

_BY_NAME = {command.name: command for command in COMMANDS}


class LazyGroup(TyperGroup):
    """A group whose commands are known by name and help; a command is imported when it is run."""

    def __init__(self, **attributes: Any) -> None:
        attributes["commands"] = {
            command.name: TyperCommand(name=command.name, help=command.help) for command in COMMANDS
        }
        super().__init__(**attributes)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in the place of its name and help."""
        if args and args[0] in _BY_NAME:
            self.commands[args[0]] = load(_BY_NAME[args[0]])
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="watchkeeper",
    cls=LazyGroup,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"watchkeeper {importlib.metadata.version('watchkeeper')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Keep watch over machine-learning models in production."""


def main() -> None:
    """Run the command that this process was started with."""
    # Read by OpenMP when it is loaded: threads that spin while they wait starve everybody else.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    if code == INTERRUPTED or not _LONG_RUNNING.isdisjoint(sys.argv[1:2]):
        # Everything of ours is closed; unwinding the libraries' threads would take a second more.
        logging.shutdown()
        os._exit(code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return the exit code: 0, what the command says, or 1 after an error."""
    try:
        code = app(
            args=list(arguments) or ["--help"], prog_name="watchkeeper", standalone_mode=False
        )
    except WatchkeeperError as error:
        _say(str(error))
    except TyperException as error:
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        # The name of an exception says nothing to who has mistyped an option.
        _say(said.replace("Value error, ", ""))
    except (Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:
        if str(error) == _BROKEN_OFF:
            return INTERRUPTED
        if os.environ.get(DEBUG_VARIABLE):
            raise
        _say(f"unexpected {type(error).__name__}; the details are in {_keep_details()}")
    else:
        return code if isinstance(code, int) else 0
    return 1


def load(command: Command) -> Any:
    """Import a command and return it ready to run."""
    module = importlib.import_module(command.module)
    application = getattr(module, "app", None)
    if application is None:
        application = typer.Typer(add_completion=False)
        function = getattr(module, command.name.replace("-", "_"))
        application.command(name=command.name, help=paragraphs(function.__doc__ or ""))(function)
    loaded = typer.main.get_command(application)
    loaded.name = command.name
    return loaded


def paragraphs(docstring: str) -> str:
    r"""Return the prose of a docstring, one line for each paragraph, without its sections.

    Examples
    --------
    >>> paragraphs("Do it.\n\n    Twice\n    at most.\n\n    Raises\n    ------\n    Never")
    'Do it.\n\nTwice at most.'
    """
    prose = re.split(r"\n\n\w+\n-{3,}\n", inspect.cleandoc(docstring))[0]
    return "\n\n".join(" ".join(part.split()) for part in prose.split("\n\n"))


def _say(message: str) -> None:
    for line in message.splitlines():
        typer.echo(f"watchkeeper: {line}", err=True)


def _keep_details() -> Path:
    handle, name = tempfile.mkstemp(prefix="watchkeeper-error-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exc(file=file)
    return Path(name)
