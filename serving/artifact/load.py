"""Load a stored model, and believe it only after its self-test."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import skops.io

from serving.artifact.model import (
    FORMAT_VERSION,
    MODEL_FILES,
    SELF_TEST_FILE,
    SIGNATURE_FILE,
    Prediction,
    Signature,
)
from serving.artifact.runtime import Columns, EstimatorRuntime, OnnxRuntime, Runtime
from serving.artifact.self_test import SelfTest
from serving.artifact.trusted import TRUSTED_TYPES
from serving.frame import to_frame
from watchkeeper.errors import ArtifactError
from watchkeeper.schema import FeatureSchema


class LoadedModel:
    """A model that has passed its self-test."""

    def __init__(self, signature: Signature, runtime: Runtime, test: SelfTest) -> None:
        self._signature = signature
        self._runtime = runtime
        self._test = test

    @property
    def schema(self) -> FeatureSchema:
        """What it reads and predicts."""
        return self._signature.schema

    @property
    def artifact_format(self) -> str:
        """How it is stored: ``onnx`` or ``skops``."""
        return self._signature.artifact_format

    @property
    def gains_from_batches(self) -> bool:
        """Whether rows of several requests are answered faster together."""
        return self._signature.artifact_format != "onnx"

    def predict(self, frame: pd.DataFrame) -> Prediction:
        """Answer the rows of a frame that holds at least the columns of the schema."""
        return self.score(to_frame(self.schema, frame))  # type: ignore[arg-type]

    def score(self, columns: Columns) -> Prediction:
        """Answer rows given as one list of values per feature; None is missing.

        Raises whatever the model's own code raises.
        """
        return self._runtime.run(columns)

    def self_test(self) -> str | None:
        """Answer the stored rows again and say what is wrong with the answers; None if nothing."""
        try:
            answer = self.score(self._test.columns)
        except Exception as exc:  # noqa: BLE001 - the model's own code may raise anything
            return f"{type(exc).__name__}: {' '.join(str(exc).split())[:200]}"
        return self._test.difference(answer)


def load(
    directory: Path, schema: FeatureSchema | None = None, trusted: Iterable[str] = TRUSTED_TYPES
) -> LoadedModel:
    """Load the model in ``directory`` and run its self-test.

    Parameters
    ----------
    schema
        The signature it must have, as the registry knows it; None to take it as it is.
    trusted
        Types that a stored estimator may be made of. They come from this release and from the
        server's configuration, never from the artifact.

    Raises
    ------
    ArtifactError
        A file is missing, damaged or of a later release; the signature is another one; the
        estimator holds a type that is not trusted; or the self-test fails.
    """
    signature = _signature(directory)
    if schema is not None and signature.schema != schema:
        raise ArtifactError(f"{directory / SIGNATURE_FILE}: not the signature of this version")
    try:
        test = SelfTest.from_dict(_json(directory / SELF_TEST_FILE))
    except (KeyError, TypeError) as exc:
        raise ArtifactError(f"{directory / SELF_TEST_FILE}: expected a self-test") from exc
    model = LoadedModel(signature, _runtime(directory, signature, frozenset(trusted)), test)
    if (wrong := model.self_test()) is not None:
        raise ArtifactError(f"{directory.name}: the model fails its self-test: {wrong}")
    return model


def _signature(directory: Path) -> Signature:
    path = directory / SIGNATURE_FILE
    data = _json(path)
    if data.get("format_version") != FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: expected format_version {FORMAT_VERSION}, got {data.get('format_version')!r}"
        )
    try:
        return Signature.from_dict(data)
    except (KeyError, TypeError, ValueError) as exc:
        raise ArtifactError(f"{path}: expected a signature ({exc!r})") from exc


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise ArtifactError(f"{path}: expected a file of JSON ({type(exc).__name__})") from exc
    if not isinstance(data, dict):
        raise ArtifactError(f"{path}: expected a JSON object")
    return data


def _runtime(directory: Path, signature: Signature, trusted: frozenset[str]) -> Runtime:
    # The format only chooses between two readers, neither of which runs code of the file's own.
    name = MODEL_FILES.get(signature.artifact_format)
    if name is None:
        raise ArtifactError(f"{directory}: no reader for format {signature.artifact_format!r}")
    path = directory / name
    try:
        content = path.read_bytes()
        if signature.artifact_format == "onnx":
            return OnnxRuntime(content, signature)
        strange = set(skops.io.get_untrusted_types(data=content)) - trusted
        if not strange:
            estimator = skops.io.loads(content, trusted=sorted(trusted))
            return EstimatorRuntime(estimator, signature)
    except Exception as exc:
        raise ArtifactError(
            f"{path}: cannot be read as {signature.artifact_format} "
            f"({type(exc).__name__}: {' '.join(str(exc).split())[:200]})"
        ) from exc
    raise ArtifactError(
        f"{path}: holds types that are not trusted: {', '.join(sorted(strange)[:5])}; "
        "if they are known to be safe, name them in serving.trusted_types"
    )
