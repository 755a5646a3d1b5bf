"""The columns of the prediction log as SQL over any table, by a model's settings."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa

from monitor.comparison.columns import Family, family
from monitor.profiles.bins import PREDICTED, SCORE
from monitor.profiles.outcome_counts import TRUTH
from monitor.profiles.quality_query import MISREAD
from monitor.profiles.query import MICROSECOND
from monitor.sources.expressions import (
    binary_class,
    class_text,
    empty,
    feature,
    moment,
    number,
)
from monitor.sql import identifier
from monitor.tables import Table
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import ColumnKind, FeatureSchema, Task

#: When a label became known, and the label itself, whether known or not.
KNOWN_AT, LABEL = "known_at", "label"
TIME = pa.timestamp("us", tz="UTC")
#: Decision threshold of a binary model that gives no class of its own.
_CUT = 0.5
_FLOAT, _TEXT = pa.float64(), pa.string()
_ARROW = {ColumnKind.NUMERICAL: _FLOAT, ColumnKind.DATETIME: TIME}


def is_scored(settings: ModelSettings) -> bool:
    """Whether the model gives probabilities."""
    return settings.prediction.score is not None or bool(settings.prediction.scores)


def time_of(table: Table, settings: ModelSettings) -> str:
    """Return SQL for the event time."""
    return moment(settings.timestamp, table.types[settings.timestamp])


def tile_number(time: str, tile: timedelta) -> str:
    """Return SQL for the number of the tile that holds a time."""
    return f"CAST(floor(epoch_us({time}) / {tile // MICROSECOND}) AS BIGINT)"


def log_columns(table: Table, settings: ModelSettings, schema: FeatureSchema) -> list[str]:
    """Return SQL for the columns of the log, and for the label and when it became known."""
    found = {"timestamp": time_of(table, settings)}
    for column in schema.columns:
        name, kind = column.name, column.kind
        there = name in table.types
        found[name] = feature(name, table.types[name], kind) if there else empty(kind)
    found |= _outputs(table, settings) | misread_columns(table, schema)
    columns = [f"{sql} AS {identifier(name)}" for name, sql in found.items()]
    return [*columns, *label_columns(table, settings)]


def misread_columns(table: Table, schema: FeatureSchema) -> dict[str, str]:
    """Return SQL that is true where a number is text that is not written as one, by name."""
    text = [
        column.name
        for column in schema.columns
        if column.kind is ColumnKind.NUMERICAL
        and column.name in table.types
        and family(table.types[column.name]) is Family.STRING
    ]
    found = {}
    for name in text:
        column = identifier(name)
        unreadable = f"{column} IS NOT NULL AND TRY_CAST({column} AS DOUBLE) IS NULL"
        found[f"{name}{MISREAD}"] = f"({unreadable})"
    return found


def log_types(
    settings: ModelSettings, schema: FeatureSchema
) -> tuple[tuple[str, pa.DataType], ...]:
    """Return the columns of the log with their types: the time first, the label last."""
    task = settings.task
    features = [(column.name, _ARROW.get(column.kind, _TEXT)) for column in schema.columns]
    answer = {Task.BINARY: pa.int64(), Task.REGRESSION: _FLOAT}.get(task, _TEXT)
    score = pa.list_(_FLOAT) if task is Task.MULTICLASS else _FLOAT
    outputs = [(PREDICTED, answer), *([(SCORE, score)] if is_scored(settings) else [])]
    return (("timestamp", TIME), *features, *outputs, (TRUTH, answer))


def label_columns(table: Table, settings: ModelSettings) -> list[str]:
    """Return SQL for the label, known or not, and for when it became known."""
    name = settings.label.column
    kind = table.types[name]
    if settings.task is Task.BINARY:
        label = f"CAST({binary_class(name, kind, settings.label.positive)} AS BIGINT)"
    elif settings.task is Task.MULTICLASS:
        label = class_text(name, kind)
    else:
        value = settings.prediction.value or ""
        # An error against a prediction that is no number would make every sum no number.
        truth = f"NULLIF({number(name, kind)}, CAST('NaN' AS DOUBLE))"
        label = f"CASE WHEN isfinite({number(value, table.types[value])}) THEN {truth} END"
    return [f"{label} AS {LABEL}", f"{known_at(table, settings)} AS {KNOWN_AT}"]


def known_at(table: Table, settings: ModelSettings) -> str:
    """Return SQL for when a label became known: as the table says, else after its delay."""
    available, delay = settings.label.available_at, settings.label.delay // MICROSECOND
    known = f"{time_of(table, settings)} + to_microseconds({delay})"
    if available is None:
        return known
    return f"COALESCE({moment(available, table.types[available])}, {known})"


def _outputs(table: Table, settings: ModelSettings) -> dict[str, str]:
    prediction, types = settings.prediction, table.types
    if settings.task is Task.REGRESSION:
        value = prediction.value or ""
        return {PREDICTED: number(value, types[value])}
    said = prediction.label
    if settings.task is Task.MULTICLASS:
        label = said or ""
        scores = [number(name, types[name]) for name in (prediction.scores or {}).values()]
        found = {PREDICTED: class_text(label, types[label])}
        return found | ({SCORE: f"[{', '.join(scores)}]"} if scores else {})
    name = prediction.score or ""
    score = number(name, types[name])
    if said is None:
        guess = f"CASE WHEN NOT isnan({score}) THEN CAST({score} >= {_CUT} AS BIGINT) END"
    else:
        guess = f"CAST({binary_class(said, types[said], settings.label.positive)} AS BIGINT)"
    return {PREDICTED: guess, SCORE: score}
