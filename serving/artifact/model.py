"""What a stored model says about itself, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from watchkeeper.schema import FeatureSchema

Array = npt.NDArray[Any]
Format = Literal["onnx", "skops"]

SIGNATURE_FILE = "signature.json"
SELF_TEST_FILE = "self_test.json"
MODEL_FILES: Mapping[Format, str] = {"onnx": "model.onnx", "skops": "model.skops"}
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """The answers of a model to some rows.

    Parameters
    ----------
    y_pred
        Shape ``(n,)``. Binary: int64, 1 is the schema's second class; multi-class: the class
        names; regression: float64.
    y_pred_proba
        Binary: P(second class), shape ``(n,)``; multi-class: shape ``(n, classes)`` in the order of
        the schema; None for regression.
    """

    y_pred: Array
    y_pred_proba: Array | None = None

    def rows(self, start: int, stop: int) -> Prediction:
        """Return the answers to the rows from ``start`` up to ``stop``."""
        chances = self.y_pred_proba
        return Prediction(
            y_pred=self.y_pred[start:stop],
            y_pred_proba=None if chances is None else chances[start:stop],
        )

    @property
    def finite(self) -> bool:
        """Whether every number in it is one."""
        chances = self.y_pred_proba
        numbers = self.y_pred if chances is None else chances
        return bool(np.isfinite(numbers).all())


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """The content of ``signature.json``.

    Parameters
    ----------
    schema
        What the model reads and predicts.
    artifact_format
        How the model is stored.
    classes
        Positions, among the model's own classes, of the schema's classes; -1 for a class that the
        training rows did not hold. Empty for regression.
    label
        Whether the label is simply the likeliest class, or must be asked for.
    layout
        ONNX: one ``matrix`` of all features, or one input per column.
    number
        ONNX: the type of numerical inputs.
    made_with
        Versions of the libraries that made it.
    """

    schema: FeatureSchema
    artifact_format: Format
    classes: tuple[int, ...] = ()
    label: Literal["likeliest", "asked"] = "asked"
    layout: Literal["matrix", "columns"] = "columns"
    number: Literal["float32", "float64"] = "float32"
    made_with: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the signature as plain JSON types."""
        return {
            "format_version": FORMAT_VERSION,
            "format": self.artifact_format,
            "schema": self.schema.to_dict(),
            "output": {"classes": list(self.classes), "label": self.label},
            "input": {"layout": self.layout, "number": self.number},
            "made_with": dict(self.made_with),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            schema=FeatureSchema.from_dict(data["schema"]),
            artifact_format=data["format"],
            classes=tuple(data["output"]["classes"]),
            label=data["output"]["label"],
            layout=data["input"]["layout"],
            number=data["input"]["number"],
            made_with=data["made_with"],
        )


def arrange(
    schema: FeatureSchema, classes: tuple[int, ...], chances: Array, labels: Array | None
) -> Prediction:
    """Bring a classifier's raw answer into the order and types of the schema.

    Parameters
    ----------
    classes
        As in `Signature`.
    chances
        Shape ``(n, classes of the model)``.
    labels
        Positions among the classes of the model, shape ``(n,)``; None to take the likeliest.

    Examples
    --------
    >>> schema = FeatureSchema(columns=(), target="late", task="binary", classes=("no", "yes"))
    >>> arrange(schema, (1, 0), np.array([[0.9, 0.1]]), None).y_pred.tolist()
    [1]
    """
    order = np.asarray(classes)
    ordered = np.where(order >= 0, chances[:, order], 0.0)
    if labels is None:
        chosen = ordered.argmax(axis=1)
    else:
        places = np.full(chances.shape[1], -1)
        places[order[order >= 0]] = np.flatnonzero(order >= 0)
        chosen = places[labels]
    if schema.task == "binary":
        return Prediction(y_pred=chosen.astype(np.int64), y_pred_proba=ordered[:, 1])
    return Prediction(y_pred=np.array(schema.classes, dtype=object)[chosen], y_pred_proba=ordered)
