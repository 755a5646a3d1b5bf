"""Save a trained estimator: as ONNX where that is proven to answer alike, else as skops."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io

from serving.artifact.load import LoadedModel, load
from serving.artifact.model import (
    MODEL_FILES,
    SELF_TEST_FILE,
    SIGNATURE_FILE,
    Array,
    Format,
    Prediction,
    Signature,
)
from serving.artifact.onnx_format import convert
from serving.artifact.runtime import LIKELIEST, EstimatorRuntime
from serving.artifact.self_test import ROWS, SelfTest, plain_columns, with_gaps
from serving.artifact.trusted import TRUSTED_TYPES
from watchkeeper.errors import ArtifactError, TrainingError
from watchkeeper.schema import FeatureSchema, Task

#: Rows on which the two formats must agree; more would only cost time.
PARITY_ROWS = 5_000


def save(
    estimator: Any,
    schema: FeatureSchema,
    sample: pd.DataFrame,
    directory: Path,
    trusted: Iterable[str] = TRUSTED_TYPES,
) -> Format:
    """Write an estimator, its signature and its self-test into ``directory``.

    Parameters
    ----------
    estimator
        What the training code returned; fitted on features as `serving.frame.to_frame` gives them.
    sample
        Some rows of features, at least one; the first of them become the self-test.
    directory
        It is made when it is not there.
    trusted
        Types that a stored estimator may be made of; see `serving.artifact.trusted`.

    Returns
    -------
    str
        ``onnx`` or ``skops``.

    Raises
    ------
    TrainingError
        ``not_a_model``: it cannot predict what the task asks for; ``refused``: it predicts, but
        could not be served, and the message says why.
    """
    _refuse_other_things(estimator, schema)
    if sample.empty:
        raise TrainingError("refused", "expected at least one row to prove the model by, got none")
    frame = with_gaps(schema, sample.head(PARITY_ROWS))
    signature = _signature(estimator, schema)
    expected = _answers(estimator, signature, frame, complete=len(frame.index))
    directory.mkdir(parents=True, exist_ok=True)
    _write_self_test(directory, schema, frame, expected, sample_rows=len(sample.head(PARITY_ROWS)))
    artifact_format: Format = "onnx"
    converted = convert(estimator, signature, frame, expected)
    if converted is None:
        artifact_format = "skops"
        content = _dump(estimator, trusted)
    else:
        signature, content = converted
    (directory / MODEL_FILES[artifact_format]).write_bytes(content)
    _write_json(directory / SIGNATURE_FILE, signature.to_dict())
    _prove(directory, schema, trusted)
    return artifact_format


def _refuse_other_things(estimator: Any, schema: FeatureSchema) -> None:
    wanted = ["predict"] if schema.task is Task.REGRESSION else ["predict", "predict_proba"]
    missing = [name for name in wanted if not callable(getattr(estimator, name, None))]
    if missing or isinstance(estimator, type):
        raise TrainingError(
            "not_a_model",
            f"expected a fitted estimator with {' and '.join(wanted)}, got {_kind(estimator)}",
        )


def _kind(estimator: Any) -> str:
    if isinstance(estimator, type):
        return f"the class {estimator.__name__} itself"
    return "None" if estimator is None else f"an object of type {type(estimator).__name__}"


def _signature(estimator: Any, schema: FeatureSchema) -> Signature:
    steps = getattr(estimator, "steps", None)
    last = type(steps[-1][1] if steps else estimator).__name__
    packages = ("numpy", "pandas", "scikit-learn", "skl2onnx", "skops")
    return Signature(
        schema=schema,
        artifact_format="skops",
        classes=() if schema.task is Task.REGRESSION else _classes(estimator, schema),
        label="likeliest" if last in LIKELIEST else "asked",
        made_with={"python": platform.python_version()} | {p: version(p) for p in packages},
    )


def _classes(estimator: Any, schema: FeatureSchema) -> tuple[int, ...]:
    try:
        own: Array = np.asarray(estimator.classes_)
    except AttributeError as exc:
        raise TrainingError(
            "not_a_model", f"{_kind(estimator)} has no classes_; expected a fitted classifier"
        ) from exc
    names = [str(name) for name in own.tolist()]
    truth = {"False": 0, "True": 1, "0": 0, "1": 1, "0.0": 0, "1.0": 1}
    if schema.task is Task.BINARY and not set(names) <= set(schema.classes):
        places = [truth.get(name, -1) for name in names]
    else:
        places = [schema.classes.index(n) if n in schema.classes else -1 for n in names]
    if -1 in places:
        raise TrainingError(
            "refused",
            f"expected classes among {', '.join(schema.classes[:20])}; the estimator has "
            f"{names[places.index(-1)]!r}",
        )
    return tuple(places.index(i) if i in places else -1 for i in range(len(schema.classes)))


def _answers(
    estimator: Any, signature: Signature, frame: pd.DataFrame, *, complete: int
) -> Prediction:
    try:
        answers = EstimatorRuntime(estimator, signature).run(frame)  # type: ignore[arg-type]
    except Exception as exc:
        raise TrainingError(
            "not_a_model" if type(exc).__name__ == "NotFittedError" else "refused",
            f"the estimator cannot predict rows of the signature, with a value missing where that "
            f"is allowed ({type(exc).__name__}: {_line(exc)}); expected a fitted estimator that "
            f"takes them, for example OneHotEncoder(handle_unknown='ignore') and SimpleImputer()",
        ) from exc
    if answers.y_pred.shape != (complete,) or not answers.finite:
        raise TrainingError("refused", "expected one finite prediction for each row of the sample")
    return answers


def _write_self_test(
    directory: Path,
    schema: FeatureSchema,
    frame: pd.DataFrame,
    expected: Prediction,
    *,
    sample_rows: int,
) -> None:
    kept = [*range(min(ROWS, sample_rows)), *range(sample_rows, len(frame))]
    chances = expected.y_pred_proba
    test = SelfTest(
        columns=plain_columns(schema, frame.iloc[kept]),
        y_pred=expected.y_pred[kept].tolist(),
        y_pred_proba=None if chances is None else chances[kept].tolist(),
    )
    _write_json(directory / SELF_TEST_FILE, test.to_dict())


def _dump(estimator: Any, trusted: Iterable[str]) -> bytes:
    try:
        content: bytes = skops.io.dumps(estimator)
        strange = set(skops.io.get_untrusted_types(data=content)) - set(trusted)
    except Exception as exc:
        raise TrainingError(
            "refused",
            f"the estimator cannot be stored without pickle ({type(exc).__name__}: {_line(exc)})",
        ) from exc
    if strange:
        raise TrainingError(
            "refused",
            f"the estimator holds types that are not trusted: {', '.join(sorted(strange)[:5])}; "
            "use scikit-learn's own, or name them in serving.trusted_types",
        )
    return content


def _prove(directory: Path, schema: FeatureSchema, trusted: Iterable[str]) -> LoadedModel:
    try:
        return load(directory, schema, trusted)
    except ArtifactError as exc:
        raise TrainingError("refused", f"the saved model is not what was trained: {exc}") from exc


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")


def _line(exc: BaseException) -> str:
    return " ".join(str(exc).split())[:200]
