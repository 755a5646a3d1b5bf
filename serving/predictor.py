"""Predict: decode, route, answer, log; one synchronous function under every way in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec
from sqlalchemy import Engine

from serving.model import Answer, Batch, Outputs, Record
from serving.payload import encode_labels, encode_predictions
from serving.spool import Spool
from serving.versions import Served, Versions
from watchkeeper.clock import Clock
from watchkeeper.database import read
from watchkeeper.errors import ArtifactError, InputError, NotFoundError
from watchkeeper.registry.artifacts import Artifacts
from watchkeeper.registry.model import Deployment
from watchkeeper.registry.repository import Deployments

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """What answers the requests to one model.

    Parameters
    ----------
    generation
        The line of the deployments ledger that this follows.
    served_by
        As in each answer: ``champion:`` and the version.
    """

    served: Served
    generation: int
    served_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """Whether every deployed model is served.

    Parameters
    ----------
    models
        The version that serves each model.
    problems
        Why the deployed version of a model is not the one that serves it.
    ready
        Each deployed model has a version that passed its self-test, be it an older one: taking a
        server away because a new version is broken would turn a failed deployment into an outage.
    """

    models: Mapping[str, int]
    problems: Mapping[str, str]
    ready: bool


class Predictor:
    """Serves the deployed versions, and logs whatever it answers before it answers.

    Parameters
    ----------
    clock
        Event time of records that give none.
    trusted
        Types that the configuration trusts in stored estimators.
    max_records
        Most records in one request.
    keep
        Loaded versions that are kept for an instant rollback.
    """

    def __init__(
        self,
        engine: Engine,
        artifacts: Artifacts,
        spool: Spool,
        clock: Clock,
        *,
        trusted: Iterable[str] = (),
        max_records: int = 10_000,
        keep: int = 8,
    ) -> None:
        self._engine = engine
        self._spool = spool
        self._clock = clock
        self._versions = Versions(
            engine, artifacts, trusted=trusted, max_records=max_records, keep=keep
        )
        self._refreshing = threading.Lock()
        # Replaced as a whole by one assignment: a request sees the old routes or the new ones.
        self._routes: Mapping[str, Route] = MappingProxyType({})
        self._readiness = Readiness(models={}, problems={}, ready=False)

    def predict(
        self, model: str, records: Iterable[Record], *, version: int | None = None
    ) -> list[Answer]:
        """Answer records; they are durably logged when this returns.

        Parameters
        ----------
        version
            Ask this version; None for the champion.

        Raises
        ------
        NotFoundError
            There is no such model or version.
        RecordError
            Records are wrong; it names record and field.
        TooLargeError
            There are too many records.
        CapacityError
            The log is full; nothing was answered.
        ArtifactError
            The version cannot be loaded, or fails altogether.
        """
        route = self._route(model, version)
        batch = route.served.signature.convert(records, self._clock.now())
        return self._answer(route, batch)

    def predict_body(self, model: str, body: bytes, *, version: int | None = None) -> list[Answer]:
        """Answer the body of a request: ``{"records": [...]}``; see `predict`."""
        route = self._route(model, version)
        batch = route.served.signature.decode(body, self._clock.now())
        return self._answer(route, batch)

    def log_predictions(self, model: str, body: bytes) -> int:
        """Log ``{"predictions": [...]}`` that were made elsewhere, and return how many."""
        served = self._route(model, None).served
        batch, outputs = served.predictions.decode(body, self._clock.now())
        self._log_answers(served, batch, outputs, "elsewhere")
        return len(batch)

    def log_labels(self, model: str, body: bytes) -> int:
        """Log ``{"labels": [...]}`` and return how many."""
        served = self._route(model, None).served
        now = self._clock.now()
        labels = served.labels.decode(body, now)
        payload = encode_labels(labels, version=served.version.version, received_at=now)
        self._spool.append("labels", model, 0, payload)
        return len(labels)

    def refresh(self) -> Readiness:
        """Follow the deployments ledger; a version that cannot be loaded leaves the old one.

        Versions are loaded and tested in the calling thread; requests go on meanwhile.
        """
        with self._refreshing:
            with read(self._engine) as session:
                deployments = Deployments(session).all_current()
            routes = dict(self._routes)
            problems: dict[str, str] = {}
            for deployment in deployments:
                try:
                    routes[deployment.model] = self._follow(deployment)
                except (ArtifactError, InputError, NotFoundError) as exc:
                    problems[deployment.model] = str(exc)
                    _log.error(
                        "version %d of %s cannot be served: %s",
                        deployment.version,
                        deployment.model,
                        exc,
                    )
            self._routes = MappingProxyType(routes)
            self._readiness = Readiness(
                models={name: route.served.version.version for name, route in routes.items()},
                problems=problems,
                ready=all(deployment.model in routes for deployment in deployments),
            )
            return self._readiness

    def readiness(self) -> Readiness:
        """Return what the last refresh found."""
        return self._readiness

    def _tell(self, deployment: Deployment, problem: str) -> None:
        # It is tried again at each refresh, but said once.
        if self._readiness.problems.get(deployment.model) != problem:
            name = f"version {deployment.version} of {deployment.model}"
            _log.error("%s cannot be served: %s", name, problem)

    def _follow(self, deployment: Deployment) -> Route:
        present = self._routes.get(deployment.model)
        if present is not None and present.generation == deployment.generation:
            return present
        return Route(
            served=self._versions.get(deployment.model, deployment.version),
            generation=deployment.generation,
            served_by=f"champion:{deployment.version}",
        )

    def _route(self, model: str, version: int | None) -> Route:
        route = self._routes.get(model)
        if route is None:
            raise NotFoundError("model", model, known=sorted(self._routes))
        if version is None:
            return route
        champion = route.served.version.version
        served = route.served if version == champion else self._versions.get(model, version)
        return Route(served=served, generation=route.generation, served_by=f"pinned:{version}")

    def _answer(self, route: Route, batch: Batch) -> list[Answer]:
        outputs = route.served.answer(batch)
        # Logged before it is answered: what a user acted upon is never missing from the log.
        self._log_answers(route.served, batch, outputs, route.served_by)
        version = route.served.version.version
        chances = outputs.y_pred_proba
        return [
            Answer(
                prediction_id=identifier,
                version=version,
                y_pred=outputs.y_pred[i],
                y_pred_proba=msgspec.UNSET if chances is None else chances[i],
                served_by=route.served_by,
            )
            for i, identifier in enumerate(batch.ids)
        ]

    def _log_answers(self, served: Served, batch: Batch, outputs: Outputs, served_by: str) -> None:
        version = served.version
        payload = encode_predictions(
            batch,
            outputs,
            version.schema,
            version=version.version,
            served_by=served_by,
            predicted_at=self._clock.now(),
        )
        self._spool.append("predictions", version.name, version.generation, payload)
