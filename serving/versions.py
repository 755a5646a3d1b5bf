"""The model versions that are loaded, and their answers."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from serving.artifact import LoadedModel, Prediction, load, trusted_types
from serving.combine import Combiner
from serving.labels import LabelReader, PredictionReader
from serving.model import Batch, Outputs
from serving.signature import Signature
from serving.wording import RecordsError
from watchkeeper.database import read
from watchkeeper.errors import ArtifactError, RecordError
from watchkeeper.registry.artifacts import Artifacts
from watchkeeper.registry.model import ModelVersion
from watchkeeper.registry.repository import ModelVersions

#: Requests of at most so many rows are answered together with others.
_SMALL = 16
_TOGETHER = 64
_log = logging.getLogger(__name__)

_Columns = Mapping[str, list[Any]]


class Served:
    """One loaded version: it reads requests and answers them; safe to share between threads."""

    def __init__(self, version: ModelVersion, loaded: LoadedModel, *, max_records: int) -> None:
        self.version = version
        self.signature = Signature(version.schema, max_records=max_records)
        self.labels = LabelReader(version.schema, max_records=max_records)
        self.predictions = PredictionReader(version.schema, max_records=max_records)
        self._loaded = loaded
        self._together: Combiner[_Columns, Prediction] = Combiner(self._score_all, limit=_TOGETHER)

    def answer(self, batch: Batch) -> Outputs:
        """Answer the records of a batch.

        Raises
        ------
        RecordError
            The model cannot take one of the records, though it fits the signature.
        ArtifactError
            The model fails altogether.
        """
        try:
            prediction = self._score(batch.columns, len(batch))
        except Exception as exc:
            _log.warning("%s failed on a request: %s", self._name, type(exc).__name__)
            raise self._at_fault(batch.columns, len(batch)) from exc
        if not prediction.finite:
            raise self._at_fault(batch.columns, len(batch))
        chances = prediction.y_pred_proba
        return Outputs(
            y_pred=prediction.y_pred.tolist(),
            y_pred_proba=None if chances is None else chances.tolist(),
        )

    @property
    def _name(self) -> str:
        return f"version {self.version.version} of {self.version.name}"

    def _score(self, columns: _Columns, rows: int) -> Prediction:
        if self._loaded.gains_from_batches and rows <= _SMALL:
            return self._together.submit(columns)
        return self._loaded.score(columns)

    def _score_all(self, requests: list[_Columns]) -> Sequence[Prediction | Exception]:
        if len(requests) == 1:
            return [self._loaded.score(requests[0])]
        sizes = [len(next(iter(columns.values()))) for columns in requests]
        merged = {
            name: [value for columns in requests for value in columns[name]] for name in requests[0]
        }
        try:
            prediction = self._loaded.score(merged)
        except Exception:  # noqa: BLE001 - one request's failure must not be its neighbours'
            return [self._score_alone(columns) for columns in requests]
        stops = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        return [prediction.rows(stop - size, stop) for size, stop in zip(sizes, stops, strict=True)]

    def _score_alone(self, columns: _Columns) -> Prediction | Exception:
        try:
            return self._loaded.score(columns)
        except Exception as exc:  # noqa: BLE001 - handed to the request that it belongs to
            return exc

    def _at_fault(self, columns: _Columns, rows: int) -> RecordError | ArtifactError:
        """Tell a record that the model cannot take from a model that fails altogether."""
        wrong = self._loaded.self_test()
        if wrong is not None:
            return ArtifactError(f"{self._name} fails: {wrong}")
        first, last = 0, rows
        while last - first > 1:
            middle = (first + last) // 2
            if self._takes(columns, first, middle):
                first = middle
            else:
                last = middle
        return RecordsError(
            [RecordError("expected values that the model can take; it fails on them", record=first)]
        )

    def _takes(self, columns: _Columns, start: int, stop: int) -> bool:
        answer = self._score_alone({name: values[start:stop] for name, values in columns.items()})
        return isinstance(answer, Prediction) and answer.finite


class Versions:
    """Loads versions, and keeps those that were used last.

    Parameters
    ----------
    trusted
        Types that the configuration trusts beyond `serving.artifact.TRUSTED_TYPES`.
    keep
        How many loaded versions are kept; those that serve are kept by the router besides.
    """

    def __init__(
        self,
        engine: Engine,
        artifacts: Artifacts,
        *,
        trusted: Iterable[str],
        max_records: int,
        keep: int,
    ) -> None:
        self._engine = engine
        self._artifacts = artifacts
        self._trusted = trusted_types(tuple(trusted))
        self._max_records = max_records
        self._keep = keep
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], Served] = OrderedDict()

    def get(self, model: str, version: int) -> Served:
        """Return a version, loaded and tested.

        Raises
        ------
        NotFoundError
            There is no such version.
        ArtifactError
            Its files are damaged, altered or not trusted, or it fails its self-test.
        """
        found = self._find((model, version))
        if found is not None:
            return found
        # One at a time: loading takes memory and a core, and others may wait for the same version.
        with self._loading:
            found = self._find((model, version))
            return found or self._load(model, version)

    def _find(self, key: tuple[str, int]) -> Served | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _load(self, model: str, version: int) -> Served:
        with read(self._engine) as session:
            registered = ModelVersions(session).get(model, version)
        try:
            directory = self._artifacts.open(registered.artifact_sha256)
        except OSError as exc:
            raise ArtifactError(f"version {version} of {model} cannot be read: {exc}") from exc
        loaded = load(directory, registered.schema, self._trusted)
        if loaded.artifact_format != registered.artifact_format:
            raise ArtifactError(
                f"version {version} of {model}: expected format {registered.artifact_format}, "
                f"got {loaded.artifact_format}"
            )
        served = Served(registered, loaded, max_records=self._max_records)
        with self._lock:
            self._kept[model, version] = served
            while len(self._kept) > self._keep:
                self._kept.popitem(last=False)
        return served
