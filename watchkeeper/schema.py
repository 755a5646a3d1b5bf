"""What a model reads and predicts: columns, their kinds, and the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

#: Columns that the prediction log adds beside the features; no feature may bear one of these names.
RESERVED_COLUMNS = frozenset(
    {
        "prediction_id",
        "version",
        "timestamp",
        "predicted_at",
        "y_pred",
        "y_pred_proba",
        "served_by",
        "y_true",
        "labelled_at",
        "received_at",
        "day",
        "writer",
        "sequence",
    }
)


class ColumnKind(StrEnum):
    """How the values of a column are compared."""

    NUMERICAL = "numerical"
    CATEGORICAL = "categorical"
    DATETIME = "datetime"
    TEXT = "text"


class Task(StrEnum):
    """What a model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One feature.

    Parameters
    ----------
    name
        As in the training table and in requests.
    kind
        How its values are compared.
    nullable
        Whether null is allowed in a request; it is when the training data held nulls.
    categories
        The values seen in training, in bytewise order; categorical columns only.
    """

    name: str
    kind: ColumnKind
    nullable: bool = True
    categories: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the column as plain JSON types."""
        return {
            "name": self.name,
            "kind": str(self.kind),
            "nullable": self.nullable,
            "categories": list(self.categories),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            name=data["name"],
            kind=ColumnKind(data["kind"]),
            nullable=data["nullable"],
            categories=tuple(data["categories"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureSchema:
    """The signature of a model version.

    Parameters
    ----------
    columns
        The features, in the order in which the model takes them.
    target
        Name of the label column in training data.
    task
        What is predicted.
    classes
        Class labels in the order of the model's probabilities; empty for regression.
        For binary models the second class is the positive one.

    Examples
    --------
    >>> schema = FeatureSchema(
    ...     columns=(Column(name="distance", kind=ColumnKind.NUMERICAL),),
    ...     target="delayed", task=Task.BINARY, classes=("0", "1"))
    >>> FeatureSchema.from_dict(schema.to_dict()) == schema
    True
    """

    columns: tuple[Column, ...]
    target: str
    task: Task
    classes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The feature names, in order."""
        return tuple(column.name for column in self.columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as plain JSON types."""
        return {
            "columns": [column.to_dict() for column in self.columns],
            "target": self.target,
            "task": str(self.task),
            "classes": list(self.classes),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            columns=tuple(Column.from_dict(column) for column in data["columns"]),
            target=data["target"],
            task=Task(data["task"]),
            classes=tuple(data["classes"]),
        )
