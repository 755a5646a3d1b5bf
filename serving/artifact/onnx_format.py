"""An estimator as an ONNX graph, if there is one that answers like it."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

from serving.artifact.model import Prediction, Signature
from serving.artifact.runtime import MATRIX, OnnxRuntime
from serving.artifact.self_test import TOLERANCE, difference
from watchkeeper.schema import ColumnKind, Task

_NUMBERS = {"float32": FloatTensorType, "float64": DoubleTensorType}
_log = logging.getLogger(__name__)


def convert(
    estimator: Any, signature: Signature, frame: pd.DataFrame, expected: Prediction
) -> tuple[Signature, bytes] | None:
    """Return the graph and its signature, or None when no graph gives the expected answers.

    Parameters
    ----------
    frame, expected
        Rows, also with values missing, and what the estimator answers to them. Probabilities and
        numbers must agree to ``TOLERANCE``, labels must be equal.
    """
    if not _convertible(signature):
        return None
    for candidate in _candidates(signature):
        try:
            content = _graph(estimator, candidate)
            found = OnnxRuntime(content, candidate).run(frame)  # type: ignore[arg-type]
        except Exception as exc:  # noqa: BLE001 - a converter raises anything; there is a next way
            _log.debug("no ONNX graph (%s, %s): %s", candidate.layout, candidate.number, exc)
            continue
        if difference(expected, found, TOLERANCE) is None:
            return candidate, content
    return None


def _convertible(signature: Signature) -> bool:
    # A graph's label cannot follow a threshold of the estimator's own.
    decided = signature.label == "likeliest" or signature.schema.task is Task.REGRESSION
    kinds = {column.kind for column in signature.schema.columns}
    return decided and ColumnKind.DATETIME not in kinds and bool(kinds)


def _candidates(signature: Signature) -> Iterator[Signature]:
    kinds = {column.kind for column in signature.schema.columns}
    layouts = ["matrix", "columns"] if kinds == {ColumnKind.NUMERICAL} else ["columns"]
    for number, layout in itertools.product(_NUMBERS, layouts):
        yield dataclasses.replace(
            signature,
            artifact_format="onnx",
            layout=layout,  # type: ignore[arg-type]
            number=number,  # type: ignore[arg-type]
        )


def _graph(estimator: Any, signature: Signature) -> bytes:
    number = _NUMBERS[signature.number]
    columns = signature.schema.columns
    if signature.layout == "matrix":
        inputs = [(MATRIX, number([None, len(columns)]))]
    else:
        inputs = [
            (
                column.name,
                (number if column.kind is ColumnKind.NUMERICAL else StringTensorType)([None, 1]),
            )
            for column in columns
        ]
    classifier = signature.schema.task is not Task.REGRESSION
    graph = to_onnx(
        estimator, initial_types=inputs, options={"zipmap": False} if classifier else None
    )
    content: bytes = graph.SerializeToString()
    return content
