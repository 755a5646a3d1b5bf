"""Rows whose answers are known, by which a loaded model shows that it is the one that was saved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from serving.artifact.model import Array, Prediction
from serving.frame import to_frame
from watchkeeper.schema import ColumnKind, FeatureSchema

#: Largest difference between two computations of one probability; for the numbers of a regression,
#: as a share of the largest of them.
TOLERANCE = 1e-5
ROWS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfTest:
    """The content of ``self_test.json``: rows, the answers to them, and how near is right."""

    columns: Mapping[str, list[Any]]
    y_pred: list[Any]
    y_pred_proba: list[Any] | None
    tolerance: float = TOLERANCE

    def difference(self, answer: Prediction) -> str | None:
        """Say how an answer to the rows differs from the expected one; None when it does not."""
        chances = None if self.y_pred_proba is None else np.array(self.y_pred_proba, dtype=float)
        expected = Prediction(y_pred=np.array(self.y_pred), y_pred_proba=chances)
        return difference(expected, answer, self.tolerance)

    def to_dict(self) -> dict[str, Any]:
        """Return the test as plain JSON types."""
        return {
            "columns": dict(self.columns),
            "y_pred": self.y_pred,
            "y_pred_proba": self.y_pred_proba,
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            columns=data["columns"],
            y_pred=data["y_pred"],
            y_pred_proba=data["y_pred_proba"],
            tolerance=data["tolerance"],
        )


def with_gaps(schema: FeatureSchema, sample: pd.DataFrame) -> pd.DataFrame:
    """Return the sample and, for each value that may be missing in production, a row without it.

    A null is allowed where the column is nullable; a category that training never saw is missing
    to the model whether the column is nullable or not.

    Examples
    --------
    >>> from watchkeeper.schema import Column
    >>> schema = FeatureSchema(columns=(Column(name="a", kind=ColumnKind.NUMERICAL),),
    ...     target="y", task="regression")
    >>> with_gaps(schema, pd.DataFrame({"a": [1.0]}))["a"].tolist()
    [1.0, nan]
    """
    frame = to_frame(schema, sample).reset_index(drop=True)
    gaps = [frame]
    for column in schema.columns:
        if column.nullable or column.kind is ColumnKind.CATEGORICAL:
            row = frame.iloc[:1].copy()
            row[column.name] = row[column.name].where(np.array([False]))
            gaps.append(row)
    return pd.concat(gaps, ignore_index=True)


def plain_columns(schema: FeatureSchema, frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the frame as plain JSON types: what is missing is null, an instant is text."""
    columns: dict[str, list[Any]] = {}
    for column in schema.columns:
        values = frame[column.name]
        if column.kind is ColumnKind.DATETIME:
            columns[column.name] = [None if pd.isna(v) else v.isoformat() for v in values]
        elif column.kind is ColumnKind.NUMERICAL:
            columns[column.name] = [None if math.isnan(v) else float(v) for v in values]
        else:
            columns[column.name] = [v if isinstance(v, str) else None for v in values]
    return columns


def difference(expected: Prediction, answer: Prediction, tolerance: float) -> str | None:
    """Say how two answers to the same rows differ; None when they agree within the tolerance.

    Labels must be equal, except where the likeliest classes are as good as level.

    Examples
    --------
    >>> number = Prediction(y_pred=np.array([2.0]))
    >>> difference(number, Prediction(y_pred=np.array([2.5])), 1e-5)
    'row 0: expected 2.0, got 2.5'
    """
    if len(expected.y_pred) != len(answer.y_pred):
        return f"expected {len(expected.y_pred)} answers, got {len(answer.y_pred)}"
    if expected.y_pred_proba is None or answer.y_pred_proba is None:
        limit = tolerance * float(np.abs(expected.y_pred).max(initial=0.0))
        return _apart(expected.y_pred, answer.y_pred, limit)
    apart = _apart(expected.y_pred_proba, answer.y_pred_proba, tolerance)
    if apart is not None:
        return apart
    wrong = (expected.y_pred != answer.y_pred) & ~_level(expected.y_pred_proba, tolerance)
    if not wrong.any():
        return None
    row = int(np.flatnonzero(wrong)[0])
    return f"row {row}: expected {expected.y_pred[row]}, got {answer.y_pred[row]}"


def _apart(expected: Array, answer: Array, limit: float) -> str | None:
    if expected.shape != answer.shape:
        return f"expected answers of shape {expected.shape}, got {answer.shape}"
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(expected - answer) <= limit)
    if not wrong.any():
        return None
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"row {place[0]}: expected {float(expected[place])!r}, got {float(answer[place])!r}"


def _level(chances: Array, tolerance: float) -> Array:
    if chances.ndim == 1:
        level: Array = np.abs(chances - 0.5) <= tolerance
        return level
    ordered = np.sort(chances, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2] <= 2 * tolerance)
