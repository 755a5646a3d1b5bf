"""The two ways to run a model: an ONNX session, and the estimator itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import onnxruntime
import pandas as pd
from threadpoolctl import ThreadpoolController

from serving.artifact.model import Array, Prediction, Signature, arrange
from serving.frame import codes, to_frame
from watchkeeper.schema import Column, ColumnKind, Task

Columns = Mapping[str, Sequence[Any]]

#: Name of the one input of a graph that takes all features together.
MATRIX = "features"

#: Classifiers whose label is the likeliest class, as their sources show; for others, such as those
#: with a tuned threshold, the label is asked for at the price of a second pass.
LIKELIEST = frozenset(
    {
        "DecisionTreeClassifier",
        "ExtraTreesClassifier",
        "GradientBoostingClassifier",
        "HistGradientBoostingClassifier",
        "LogisticRegression",
        "MLPClassifier",
        "RandomForestClassifier",
    }
)


class Runtime(Protocol):
    """A model that is ready to answer."""

    def run(self, columns: Columns) -> Prediction:
        """Answer the rows of ``columns``, which hold one list of values per feature."""
        ...


class EstimatorRuntime:
    """A scikit-learn estimator; slow to start on a row, cheap for each further one."""

    def __init__(self, estimator: Any, signature: Signature) -> None:
        self._estimator = estimator
        self._signature = signature
        self._libraries = ThreadpoolController()

    def run(self, columns: Columns) -> Prediction:
        """Answer the rows of ``columns``."""
        # Threads that wait for each other by spinning are many times slower than one on busy cores.
        with self._libraries.limit(limits=1, user_api="openmp"):
            return self._answer(to_frame(self._signature.schema, columns))

    def _answer(self, frame: pd.DataFrame) -> Prediction:
        schema = self._signature.schema
        if schema.task is Task.REGRESSION:
            return Prediction(y_pred=np.asarray(self._estimator.predict(frame), dtype=np.float64))
        chances = np.asarray(self._estimator.predict_proba(frame), dtype=np.float64)
        labels = None
        if self._signature.label == "asked":
            own = np.asarray(self._estimator.classes_)
            labels = np.searchsorted(own, self._estimator.predict(frame))
        return arrange(schema, self._signature.classes, chances, labels)


class OnnxRuntime:
    """An ONNX session on one thread; a row costs microseconds."""

    def __init__(self, content: bytes, signature: Signature) -> None:
        options = onnxruntime.SessionOptions()
        # One row is too small to share out: more threads only wait for each other.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._signature = signature
        inputs = [known.name for known in self._session.get_inputs()]
        matrix = signature.layout == "matrix"
        self._feed = _matrix(signature) if matrix else _per_column(signature, inputs)

    def run(self, columns: Columns) -> Prediction:
        """Answer the rows of ``columns``."""
        schema = self._signature.schema
        outputs = self._session.run(None, self._feed(columns))
        if schema.task is Task.REGRESSION:
            return Prediction(y_pred=np.asarray(outputs[0], dtype=np.float64).reshape(-1))
        chances = np.asarray(outputs[1], dtype=np.float64)
        return arrange(schema, self._signature.classes, chances, None)


def numbers(values: Sequence[Any], dtype: Literal["float32", "float64"]) -> Array:
    """Return values of a numerical column as one array; None is NaN."""
    return np.asarray(values, dtype=np.float64).astype(dtype)


def strings(column: Column, values: Sequence[Any]) -> Array:
    """Return values of a categorical or text column for ONNX, which knows no missing string."""
    if column.kind is ColumnKind.CATEGORICAL:
        names = (*column.categories, "")
        return np.array([names[code] for code in codes(column, values)], dtype=object)
    return np.array([value if isinstance(value, str) else "" for value in values], dtype=object)


def _matrix(signature: Signature) -> Callable[[Columns], dict[str, Array]]:
    names, dtype = signature.schema.names, np.dtype(signature.number)

    def feed(columns: Columns) -> dict[str, Array]:
        return {
            MATRIX: np.array([columns[name] for name in names], dtype=np.float64).T.astype(dtype)
        }

    return feed


def _per_column(
    signature: Signature, inputs: Sequence[str]
) -> Callable[[Columns], dict[str, Array]]:
    # The converter rewrites names that are no identifiers, and drops columns that are not used.
    rewritten = {re.sub(r"[^\w+]", "_", column.name): column for column in signature.schema.columns}
    features = [(name, rewritten[name]) for name in inputs]

    def feed(columns: Columns) -> dict[str, Array]:
        return {
            name: (
                numbers(columns[column.name], signature.number)
                if column.kind is ColumnKind.NUMERICAL
                else strings(column, columns[column.name])
            ).reshape(-1, 1)
            for name, column in features
        }

    return feed
