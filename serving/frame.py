"""Columns of plain values to the frame that a model reads: the same in training and serving."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from watchkeeper.errors import TableError
from watchkeeper.schema import Column, ColumnKind, FeatureSchema


def to_frame(schema: FeatureSchema, columns: Mapping[str, Any] | pd.DataFrame) -> pd.DataFrame:
    """Return the features of ``schema`` in its order and types.

    Parameters
    ----------
    columns
        Per feature the values of all rows; other columns are left out.

    Returns
    -------
    pandas.DataFrame
        Numerical columns as float64, categorical ones with the signature's categories (a value
        that training never saw is missing), datetime in UTC, text as it is.

    Raises
    ------
    TableError
        A column is absent, or holds values that are not of its kind.

    Examples
    --------
    >>> carrier = Column(name="carrier", kind=ColumnKind.CATEGORICAL, categories=("AA", "UA"))
    >>> schema = FeatureSchema(columns=(carrier,), target="late", task="binary")
    >>> to_frame(schema, {"carrier": ["UA", "XX"]})["carrier"].cat.codes.tolist()
    [1, -1]
    """
    series: dict[str, Any] = {}
    for column in schema.columns:
        if column.name not in columns:
            raise TableError("no such column", table="features", place=f"column {column.name!r}")
        try:
            series[column.name] = _typed(column, columns[column.name])
        except (ValueError, TypeError, OverflowError) as exc:
            raise TableError(
                f"expected {column.kind} values", table="features", place=f"column {column.name!r}"
            ) from exc
    index = columns.index if isinstance(columns, pd.DataFrame) else None
    return pd.DataFrame(series, index=index, copy=False)


def codes(column: Column, values: Iterable[Any]) -> list[int]:
    """Return the position of each value among the column's categories; -1 where it is none.

    Examples
    --------
    >>> codes(Column(name="c", kind=ColumnKind.CATEGORICAL, categories=("a", "b")), ["b", None])
    [1, -1]
    """
    positions, _ = _categories(column)
    return [positions.get(value, -1) for value in values]


def as_text(value: Any) -> str | None:
    """Return a value of a categorical column as the prediction log writes it; None when missing.

    Examples
    --------
    >>> as_text(7), as_text(7.0), as_text(True), as_text(float("nan"))
    ('7', '7', 'true', None)
    """
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        # Pandas turns whole numbers into floats as soon as one of them is missing.
        return None if math.isnan(value) else str(int(value)) if value == int(value) else str(value)
    return str(value)


def _typed(column: Column, values: Any) -> Any:
    if column.kind is ColumnKind.NUMERICAL:
        if isinstance(values, pd.Series):
            return values.astype("float64")
        return np.asarray(values, dtype=np.float64)
    if column.kind is ColumnKind.CATEGORICAL:
        positions, dtype = _categories(column)
        if getattr(values, "dtype", None) == dtype:
            return values
        found = [positions.get(as_text(value), -1) for value in values]
        categorical = pd.Categorical.from_codes(found, dtype=dtype, validate=False)
        return _aligned(categorical, values)
    if column.kind is ColumnKind.DATETIME:
        instants = pd.to_datetime(pd.Series(_plain(values), dtype=object), utc=True)
        return _aligned(instants.astype("datetime64[us, UTC]").array, values)
    index = values.index if isinstance(values, pd.Series) else None
    return pd.Series([_text(value) for value in values], index=index, dtype=object)


def _plain(values: Any) -> Any:
    return values.array if isinstance(values, pd.Series) else values


def _aligned(array: Any, values: Any) -> Any:
    return pd.Series(array, index=values.index) if isinstance(values, pd.Series) else array


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str) and not pd.isna(value):
        raise TypeError("expected text")
    return value if isinstance(value, str) else None


@functools.lru_cache(maxsize=4096)
def _categories(column: Column) -> tuple[dict[str | None, int], pd.CategoricalDtype]:
    positions: dict[str | None, int] = {name: i for i, name in enumerate(column.categories)}
    return positions, pd.CategoricalDtype(pd.Index(list(column.categories), dtype="str"))
