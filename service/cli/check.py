"""``watchkeeper check``: every error in a project's configuration, each with file and line."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from service.check import check_project, project_notes
from service.cli.options import Home, JsonFile
from service.output import write_json
from watchkeeper.configuration import ConfigurationErrors
from watchkeeper.errors import ConfigurationError
from watchkeeper.model_settings import model_files


def check(home: Home = Path(), json_file: JsonFile = None) -> None:
    """Report every error in the configuration of a project; the exit code is 1 if there is one.

    It reads watchkeeper.yaml, WATCHKEEPER_… variables and models/*.yaml, and looks whether the
    training code and the columns that they name exist. Nothing is started and nothing is written.
    """
    errors, notes = check_project(home, os.environ), project_notes(home, os.environ)
    files = model_files(home)
    if json_file is not None:
        result = {
            "files": 1 + len(files),
            "errors": [_plain(error) for error in errors],
            "notes": [_plain(note) for note in notes],
        }
        write_json(result, json_file)
    if errors:
        raise ConfigurationErrors(errors)
    if json_file is None or str(json_file) != "-":
        for note in notes:
            typer.echo(f"note: {note}")
        names = ", ".join(path.stem for path in files) or "none yet"
        typer.echo(f"watchkeeper.yaml and {len(files)} model files are right (models: {names})")


def _plain(error: ConfigurationError) -> dict[str, str | int | None]:
    return {
        "file": None if error.path is None else str(error.path),
        "line": error.line,
        "field": error.field,
        "problem": error.problem,
    }
