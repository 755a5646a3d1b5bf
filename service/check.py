"""Checks a whole project without running it: its files, its training code, its tables' columns."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from watchkeeper.configuration import ConfigurationErrors, nearest
from watchkeeper.document import Document, Place, read_document
from watchkeeper.errors import ConfigurationError
from watchkeeper.model_settings import ModelSettings, load_model, load_models, model_files
from watchkeeper.settings import load_settings

_FUNCTION = re.compile(r"(?P<file>[^\s:]+\.py):(?P<name>\w+)")


def check_project(home: Path, environ: Mapping[str, str]) -> list[ConfigurationError]:
    """Return everything that is wrong with the project in ``home``; empty when nothing is."""
    errors: list[ConfigurationError] = []
    try:
        load_settings(home, environ)
    except ConfigurationError as exc:
        errors.extend(_each(exc))
    try:
        load_models(home, environ)
    except ConfigurationError as exc:
        errors.extend(_each(exc))
    for path in model_files(home):
        errors.extend(sorted(_beyond(path, home, environ), key=lambda error: error.line or 0))
    return errors


def _each(error: ConfigurationError) -> tuple[ConfigurationError, ...]:
    return error.errors if isinstance(error, ConfigurationErrors) else (error,)


def _beyond(path: Path, home: Path, environ: Mapping[str, str]) -> Iterator[ConfigurationError]:
    """Yield what is wrong outside of a model's file, if the file itself is right."""
    try:
        settings = load_model(path, environ)
    except ConfigurationError:
        return
    document = read_document(path)
    if settings.retrain is not None:
        problem = command_problem(settings.retrain.command, home)
        if problem:
            yield document.error(problem, ("retrain", "command"))
        if settings.retrain.data is not None:
            place: Place = ("retrain", "data")
            yield from _column_errors(document, settings, home / settings.retrain.data, place)


def command_problem(command: str, home: Path) -> str | None:
    """Say why ``file.py:function`` cannot be called; None for what can, and for plain commands."""
    match = _FUNCTION.fullmatch(command)
    if match is None:
        return None
    path = home / match["file"]
    try:
        tree = ast.parse(path.read_bytes())
    except OSError as exc:
        return f"cannot read {match['file']}: {exc.strerror}"
    except (SyntaxError, ValueError) as exc:
        return f"{match['file']} is not valid Python: line {getattr(exc, 'lineno', None) or '?'}"
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if match["name"] in functions:
        return None
    return f"{match['file']} has no function {match['name']!r}; {nearest(match['name'], functions)}"


def _column_errors(
    document: Document, settings: ModelSettings, table: Path, place: Place
) -> Iterator[ConfigurationError]:
    try:
        columns = table_columns(table)
    except ValueError as exc:
        yield document.error(str(exc), place)
        return
    if columns is None:
        return
    for where, name in _named(settings):
        if name not in columns:
            yield document.error(
                f"no column {name!r} in {table.name}; {nearest(name, columns)}", where
            )


def _named(settings: ModelSettings) -> Iterator[tuple[Place, str]]:
    yield ("timestamp",), settings.timestamp
    yield ("label", "column"), settings.label.column
    if settings.label.available_at is not None:
        yield ("label", "available_at"), settings.label.available_at
    for name in settings.features or {}:
        yield ("features", name), name
    for group in ("exclude", "segments"):
        for index, name in enumerate(getattr(settings, group)):
            yield (group, index), name


def table_columns(path: Path) -> list[str] | None:
    """Return the columns of a Parquet or CSV file; None for a table of another kind.

    Raises
    ------
    ValueError
        The file cannot be read.
    """
    if path.suffix not in {".parquet", ".csv"}:
        return None
    try:
        if path.suffix == ".parquet":
            with path.open("rb") as file:
                return list(pq.read_schema(file).names)
        with path.open(newline="", encoding="utf-8") as text:
            return next(csv.reader(text), [])
    except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error) as exc:
        reason = getattr(exc, "strerror", None) or "damaged or of another format"
        raise ValueError(f"cannot read {path.name}: {reason}") from exc
