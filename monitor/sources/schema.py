"""The signature of a model that is known only by a table of its predictions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from monitor.comparison.columns import Family, as_category, family
from monitor.comparison.reading import string_kinds
from monitor.profiles.connection import instant
from monitor.profiles.query import EPOCH, MICROSECOND
from monitor.sources.expressions import class_text, moment, number
from monitor.sql import identifier, select
from monitor.tables import Table, Tables
from watchkeeper.configuration import nearest
from watchkeeper.errors import TableError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

#: Names under which records are kept; a table's column of such a name is bookkeeping.
_BOOKKEEPING = frozenset(
    {
        "labelled_at",
        "prediction_id",
        "predicted_at",
        "received_at",
        "served_by",
        "version",
        "writer",
        "y_pred",
        "y_pred_proba",
        "y_true",
    }
)
#: Names that the profiling query gives to columns of its own.
TAKEN = frozenset({"timestamp", "tile", "y_pred", "y_pred_proba", "y_true"})
_PLAIN = {
    Family.NUMBER: ColumnKind.NUMERICAL,
    Family.BOOLEAN: ColumnKind.CATEGORICAL,
    Family.DATETIME: ColumnKind.DATETIME,
}
#: Types whose values are no category.
_UNFIT = re.compile(r"[\[(]|^(BLOB|BIT|INTERVAL|STRUCT|MAP|UNION|VARIANT)")
#: A column in which so many values differ may be a serial number.
_SERIAL_SHARE = 0.5
_MAX_CLASSES = 1_000
_SEED = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSchema:
    """What was found in a table.

    Parameters
    ----------
    features
        The signature.
    left_out
        Columns that could have been features, and why they are not watched.
    """

    features: FeatureSchema
    left_out: Mapping[str, str]


def read_schema(tables: Tables, table: Table, settings: ModelSettings) -> TableSchema:
    """Read or infer the features and classes of a model from its reference table.

    Raises
    ------
    TableError
        A column that the settings name is missing, or none is left to be a feature.
    """
    require_columns(table, settings)
    left_out: dict[str, str] = {}
    if settings.features is not None:
        kinds = settings.features
        for name in kinds:
            if name in TAKEN:
                problem = "is a name of the prediction log; rename the feature"
                raise TableError(problem, table=table.name, place=f"column {name}")
        _require_numbers(tables, table, kinds)
    else:
        kinds, left_out = _inferred(tables, table, settings)
    columns = tuple(Column(name=name, kind=kind) for name, kind in kinds.items())
    if not columns:
        raise TableError("has no column left to be a feature", table=table.name)
    schema = FeatureSchema(
        columns=columns,
        target=settings.label.column,
        task=settings.task,
        classes=_classes(tables, table, settings),
    )
    return TableSchema(features=schema, left_out=left_out)


def require_columns(table: Table, settings: ModelSettings, *, empty: bool = False) -> None:
    """Refuse a table without a column that the settings name, or without rows unless ``empty``.

    Raises
    ------
    TableError
        With the column that was probably meant.
    """
    roles = [
        ("timestamp", settings.timestamp),
        *(("prediction", name) for name in settings.prediction.columns()),
        ("label.column", settings.label.column),
        ("label.available_at", settings.label.available_at),
        *(("features", name) for name in settings.features or {}),
        *(("segments", name) for name in settings.segments),
    ]
    for role, name in roles:
        if name is not None and name not in table.types:
            said = f"`{role}` of model {settings.model}"
            problem = f"no column {name!r}, named by {said}; {nearest(name, table.types)}"
            raise TableError(problem, table=table.name)
    if table.rows == 0 and not empty:
        raise TableError("the table holds no rows", table=table.name)


def _require_numbers(tables: Tables, table: Table, kinds: Mapping[str, ColumnKind]) -> None:
    """Refuse text that is said to be numbers where not one value can be read as one."""
    said = [
        name
        for name, kind in kinds.items()
        if kind is ColumnKind.NUMERICAL and family(table.types[name]) is Family.STRING
    ]
    for name in said:
        values = f"count({identifier(name)}), count({number(name, table.types[name])})"
        given, read = tables.query(table, select([values], table.source))[0]
        if given and not read:
            problem = f"`features` says numerical, but no value of {given:,} reads as a number"
            raise TableError(problem, table=table.name, place=f"column {name}")


def require_features(table: Table, schema: FeatureSchema) -> None:
    """Refuse a table that lacks a feature of the reference.

    Raises
    ------
    TableError
        With the column that was probably meant.
    """
    for name in schema.names:
        if name not in table.types:
            problem = f"no column {name!r}, which the reference has; {nearest(name, table.types)}"
            raise TableError(problem, table=table.name)


def _inferred(
    tables: Tables, table: Table, settings: ModelSettings
) -> tuple[dict[str, ColumnKind], dict[str, str]]:
    named = settings.named_columns() | _BOOKKEEPING
    types = {name: kind for name, kind in table.types.items() if name not in named}
    left_out = {name: "its name is taken" for name in types if name in TAKEN}
    unfit = [n for n, kind in types.items() if _UNFIT.search(kind) and not _is_number(kind)]
    left_out |= {name: f"{types[name]} is no kind of feature" for name in unfit}
    types = {name: kind for name, kind in types.items() if name not in left_out}
    left_out |= dict.fromkeys(
        _running_on(tables, table, types, settings), "it runs on, as time and serial numbers do"
    )
    kept = {name: family(kind) for name, kind in types.items() if name not in left_out}
    strings = {
        name: as_category(name, kind, kind) for name, kind in kept.items() if kind is Family.STRING
    }
    texts = string_kinds(tables, table, strings, seed=_SEED)
    return {name: texts.get(name) or _PLAIN[kind] for name, kind in kept.items()}, left_out


def _is_number(type_name: str) -> bool:
    return family(type_name) is Family.NUMBER


def _running_on(
    tables: Tables, table: Table, types: Mapping[str, str], settings: ModelSettings
) -> list[str]:
    """Return clocks and serial numbers: their last third lies wholly after their first third."""
    time = moment(settings.timestamp, table.types[settings.timestamp])
    kinds = {name: family(kind) for name, kind in types.items()}
    suspects = {
        name: moment(name, types[name]) if kind is Family.DATETIME else number(name, types[name])
        for name, kind in kinds.items()
        if kind in (Family.NUMBER, Family.DATETIME)
    }
    if not suspects:
        return []
    bounds = select([f"quantile_disc(epoch_us({time}), [0.33, 0.67])"], table.source)
    cuts = tables.query(table, bounds)[0][0]
    if cuts is None or cuts[0] == cuts[1]:
        return []
    first, last = cuts
    early, late = instant(EPOCH + first * MICROSECOND), instant(EPOCH + last * MICROSECOND)
    parts = []
    for value in suspects.values():
        before = f"max(CASE WHEN {time} <= {early} THEN {value} END)"
        after = f"min(CASE WHEN {time} >= {late} THEN {value} END)"
        parts += [f"{after} > {before}", f"approx_count_distinct({value})"]
    found = tables.query(table, select(parts, table.source))[0]
    pairs = zip(suspects, found[::2], found[1::2], strict=True)
    return [
        name
        for name, after, distinct in pairs
        if after and (kinds[name] is Family.DATETIME or distinct > _SERIAL_SHARE * table.rows)
    ]


def _classes(tables: Tables, table: Table, settings: ModelSettings) -> tuple[str, ...]:
    if settings.task is Task.BINARY:
        return ("0", "1")
    if settings.task is Task.REGRESSION:
        return ()
    given = tuple(settings.prediction.scores or ())
    columns = [settings.label.column, settings.prediction.label or settings.label.column]
    found: set[str] = set()
    for name in columns:
        text = class_text(name, table.types[name])
        query = select([f"DISTINCT {text}"], table.source, f"LIMIT {_MAX_CLASSES + 2}")
        found |= {row[0] for row in tables.query(table, query) if row[0] is not None}
    if len(found) > _MAX_CLASSES:
        problem = f"more than {_MAX_CLASSES:,} different classes; is this a regression?"
        raise TableError(problem, table=table.name, place=f"column {identifier(columns[0])}")
    return (*given, *sorted(found - set(given)))
