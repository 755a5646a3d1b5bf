"""Checks a whole project without running it: its files, its training code, its tables' columns."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from alerts.calendars import require_calendars
from alerts.routing import ownership_problems
from retrain.command import TrainingFunction, parse_command
from service.channels import channels_of
from service.duties import duty_notes
from service.source_check import source_errors
from watchkeeper.configuration import ConfigurationErrors, nearest
from watchkeeper.document import Document, Place, read_document
from watchkeeper.errors import ConfigurationError
from watchkeeper.model_settings import ModelSettings, load_model, load_models, model_files
from watchkeeper.settings import SETTINGS_FILE, Settings, load_settings


def check_project(home: Path, environ: Mapping[str, str]) -> list[ConfigurationError]:
    """Return everything that is wrong with the project in ``home``; empty when nothing is."""
    errors: list[ConfigurationError] = []
    try:
        settings = load_settings(home, environ)
        errors.extend(_unowned(home, settings, environ))
        require_calendars(settings.teams)
        channels_of(settings)
    except ConfigurationError as exc:
        errors.extend(_each(exc))
    try:
        load_models(home, environ)
    except ConfigurationError as exc:
        errors.extend(_each(exc))
    for path in model_files(home):
        errors.extend(sorted(_beyond(path, home, environ), key=lambda error: error.line or 0))
    return errors


def project_notes(home: Path, environ: Mapping[str, str]) -> list[ConfigurationError]:
    """Return what is right and yet worth a word: no effect in this version, nobody on call."""
    notes: list[ConfigurationError] = []
    with suppress(ConfigurationError):
        notes.extend(duty_notes(load_settings(home, environ), read_document(home / SETTINGS_FILE)))
    for path in model_files(home):
        with suppress(ConfigurationError):
            settings, document = load_model(path, environ), read_document(path)
            notes.extend(document.error(note, place) for place, note in settings.notes())
            note = _period_note(settings, home)
            if note is not None:
                notes.append(document.error(note, ("windows", "size")))
    return notes


def _period_note(settings: ModelSettings, home: Path) -> str | None:
    """Say how the windows do not fit the hours at which the training table has rows."""
    data = None if settings.retrain is None else settings.retrain.data
    if data is None or settings.windows.rows is not None or not (home / data).is_file():
        return None
    # DuckDB takes a while to import, and few projects get here.
    from monitor.period import find_cycles, note_on  # noqa: PLC0415
    from monitor.volumes import HOUR, rows_by_hour  # noqa: PLC0415

    volumes = rows_by_hour(home / data, settings.timestamp)
    if not volumes:
        return None
    cycles = find_cycles(list(volumes), [list(volumes.values())], settings.windows.timezone)
    spanned = max(volumes) - min(volumes) + HOUR
    return note_on(cycles, settings.windows.size, spanned)


def refuse_unowned(home: Path, settings: Settings, environ: Mapping[str, str]) -> None:
    """Refuse models of which nobody would be told.

    Raises
    ------
    ConfigurationErrors
        A model's file names a team that there is not, or nobody who could be told.
    """
    errors = list(_unowned(home, settings, environ))
    if errors:
        raise ConfigurationErrors(errors)


def _unowned(
    home: Path, settings: Settings, environ: Mapping[str, str]
) -> Iterator[ConfigurationError]:
    for path in model_files(home):
        with suppress(ConfigurationError):
            problems = list(ownership_problems(settings, load_model(path, environ)))
            document = read_document(path)
            yield from (document.error(problem, place) for place, problem in problems)


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
    yield from source_errors(document, settings, home)


def command_problem(command: str, home: Path) -> str | None:
    """Say why ``file.py:function`` cannot be called; None for what can, and for plain commands."""
    try:
        parsed = parse_command(command)
    except ConfigurationError as exc:
        return exc.problem
    if not isinstance(parsed, TrainingFunction):
        return None
    try:
        tree = ast.parse((home / parsed.path).read_bytes())
    except OSError as exc:
        return f"cannot read {parsed.path}: {exc.strerror}"
    except (SyntaxError, ValueError) as exc:
        return f"{parsed.path} is not valid Python: line {getattr(exc, 'lineno', None) or '?'}"
    names = list(_bound(tree))
    if parsed.name in names or "*" in names:
        return None
    return f"{parsed.path} has no function {parsed.name!r}; {nearest(parsed.name, names)}"


def _bound(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module's own statements bind; ``*`` for an import of everything."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


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
