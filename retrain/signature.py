"""The signature of a model that is about to be trained, from its settings and its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from monitor.comparison.columns import Family, family
from serving.frame import as_text
from watchkeeper.errors import TableError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

#: Strings with more different values than this, and than a quarter of the rows, are free text.
FREE_TEXT = 1_000
_TRUTH = {"0": 0, "false": 0, "False": 0, "1": 1, "true": 1, "True": 1}
_KINDS = {
    Family.NUMBER: ColumnKind.NUMERICAL,
    Family.BOOLEAN: ColumnKind.CATEGORICAL,
    Family.DATETIME: ColumnKind.DATETIME,
    Family.STRING: ColumnKind.CATEGORICAL,
}


def feature_kinds(
    settings: ModelSettings, types: Mapping[str, str], table: str
) -> dict[str, ColumnKind]:
    """Return the features and their kinds: those listed, or every column without another role.

    Parameters
    ----------
    types
        DuckDB's type of each column of the training table.
    table
        Its name, for errors.

    Raises
    ------
    TableError
        A listed feature is not in the table, or there is none at all.
    """
    if settings.features is not None:
        for name in settings.features:
            if name not in types:
                raise TableError("no such column", table=table, place=f"features.{name}")
        return dict(settings.features)
    named = settings.named_columns()
    kinds = {name: _KINDS[family(kind)] for name, kind in types.items() if name not in named}
    if not kinds:
        raise TableError("no column is left to be a feature", table=table)
    return kinds


def plain_features(features: pd.DataFrame, kinds: Mapping[str, ColumnKind]) -> pd.DataFrame:
    """Return features as the prediction log writes them: categories as text, numbers as float64.

    Raises
    ------
    TableError
        A column holds values that are not of its kind.
    """
    columns: dict[str, Any] = {}
    for name, kind in kinds.items():
        values = features[name]
        try:
            if kind is ColumnKind.NUMERICAL:
                columns[name] = values.astype("float64")
            elif kind is ColumnKind.DATETIME:
                columns[name] = pd.to_datetime(values, utc=True).astype("datetime64[us, UTC]")
            elif kind is ColumnKind.CATEGORICAL:
                columns[name] = _as_text(values)
            else:
                columns[name] = values.astype(object).where(values.notna(), None)
        except (ValueError, TypeError) as exc:
            raise TableError(
                f"expected {kind} values", table="training rows", place=f"column {name!r}"
            ) from exc
    return pd.DataFrame(columns, index=features.index)


def plain_labels(labels: pd.Series[Any], settings: ModelSettings) -> pd.Series[Any]:
    """Return labels as the lake writes them: 0 and 1, float64, or strings.

    Raises
    ------
    TableError
        Binary labels are neither 0 and 1 nor true and false, and no positive class is named; or
        numbers were expected.
    """
    if settings.task is Task.MULTICLASS:
        return _as_text(labels)
    if settings.task is Task.REGRESSION:
        try:
            return labels.astype("float64")
        except (ValueError, TypeError) as exc:
            raise _wrong_label(settings, "expected numbers") from exc
    text = _as_text(labels)
    if settings.label.positive is not None:
        return (text == as_text(settings.label.positive)).astype("int64")
    strange = sorted(set(text.unique()) - set(_TRUTH))
    if strange:
        raise _wrong_label(
            settings, "expected 0 and 1, or true and false; else name the class in label.positive"
        )
    return text.map(_TRUTH).astype("int64")


def signature(
    settings: ModelSettings,
    kinds: Mapping[str, ColumnKind],
    features: pd.DataFrame,
    labels: pd.Series[Any],
    past: FeatureSchema | None = None,
) -> FeatureSchema:
    """Return the signature of a model that is trained on these rows.

    Parameters
    ----------
    features, labels
        As `plain_features` and `plain_labels` give them; at least one row.
    past
        The champion's signature: what it allows to be null stays allowed, so that a request that
        was answered yesterday is answered tomorrow.
    """
    nullable = {column.name for column in past.columns if column.nullable} if past else set()
    columns = tuple(
        Column(
            name=name,
            kind=kind,
            nullable=name in nullable or bool(features[name].isna().any()),
            categories=_categories(features[name]) if kind is ColumnKind.CATEGORICAL else (),
        )
        for name, kind in kinds.items()
    )
    return FeatureSchema(
        columns=columns,
        target=settings.label.column,
        task=settings.task,
        classes=_classes(settings.task, labels),
    )


def with_free_text(
    kinds: Mapping[str, ColumnKind], features: pd.DataFrame
) -> dict[str, ColumnKind]:
    """Return inferred kinds, with strings that hardly ever repeat as text.

    Examples
    --------
    >>> names = pd.DataFrame({"remark": [f"remark {i}" for i in range(2000)]})
    >>> str(with_free_text({"remark": ColumnKind.CATEGORICAL}, names)["remark"])
    'text'
    """
    return {
        name: ColumnKind.TEXT
        if kind is ColumnKind.CATEGORICAL and _free_text(features[name])
        else kind
        for name, kind in kinds.items()
    }


def _as_text(values: pd.Series[Any]) -> pd.Series[Any]:
    # Each different value is turned into text once, however many rows hold it.
    codes, different = pd.factorize(values)
    # A missing value has the code -1: the last name.
    names = np.array([*map(as_text, different), None], dtype=object)
    return pd.Series(names[codes], index=values.index, dtype=object)


def _free_text(values: pd.Series[Any]) -> bool:
    different = values.nunique()
    return different > FREE_TEXT and different * 4 > len(values)


def _categories(values: pd.Series[Any]) -> tuple[str, ...]:
    return tuple(sorted(values.dropna().unique(), key=str.encode))


def _classes(task: Task, labels: pd.Series[Any]) -> tuple[str, ...]:
    if task is Task.REGRESSION:
        return ()
    if task is Task.BINARY:
        return ("0", "1")
    return tuple(sorted(labels.unique(), key=str.encode))


def _wrong_label(settings: ModelSettings, problem: str) -> TableError:
    return TableError(problem, table="training rows", place=f"column {settings.label.column!r}")
