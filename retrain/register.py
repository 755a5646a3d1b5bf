"""Registers a fitted model: its files, its version, and the reference that it is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import structlog
from sqlalchemy.orm import Session

from monitor.reference import Reference, fit_reference
from retrain.dataset import Dataset
from retrain.workshop import Fitted
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.artifacts import Artifacts
from watchkeeper.registry.model import ModelVersion
from watchkeeper.registry.repository import ModelVersions

log = structlog.get_logger(__name__)

#: Stores the reference of a version, in the session of the caller.
StoreReference = Callable[[Session, ModelVersion, Reference], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """All that a version needs, made before the transaction that registers it.

    Parameters
    ----------
    artifact_sha256
        Address of its files, which are stored already: an address without a version is no harm.
    """

    fitted: Fitted
    artifact_sha256: str
    reference: Reference

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics on the held-out rows of the reference."""
        found = {name: perf.value for name, perf in self.reference.performance.items()}
        return {
            name: float(value)
            for name, value in found.items()
            if value is not None and np.isfinite(value)
        }


def prepare(
    fitted: Fitted, held_out: Dataset, settings: ModelSettings, artifacts: Artifacts
) -> Candidate:
    """Store the files and fit the reference on rows that the model has not seen."""
    prediction = fitted.model.predict(held_out.features)
    reference = fit_reference(
        held_out.features,
        schema=fitted.model.schema,
        settings=settings,
        timestamps=held_out.timestamps,
        y_pred=prediction.y_pred,
        y_pred_proba=prediction.y_pred_proba,
        y_true=held_out.label,
        seen=fitted.seen,
    )
    if reference.note is not None:
        log.info("reference_note", model=settings.model, note=reference.note)
    return Candidate(
        fitted=fitted, artifact_sha256=artifacts.put(fitted.artifact), reference=reference
    )


def register(
    session: Session,
    candidate: Candidate,
    *,
    model: str,
    run_id: int,
    at: datetime,
    store: StoreReference,
) -> ModelVersion:
    """Add the version and its reference, in the caller's transaction."""
    version = ModelVersions(session).add(
        name=model,
        schema=candidate.fitted.model.schema,
        artifact_sha256=candidate.artifact_sha256,
        artifact_format=candidate.fitted.model.artifact_format,
        training_run_id=run_id,
        metrics=candidate.metrics,
        at=at,
    )
    store(session, version, candidate.reference)
    return version


def table_path(settings: ModelSettings, home: Path) -> str | None:
    """Return where the original training rows are; None when the log alone is trained on."""
    data = None if settings.retrain is None else settings.retrain.data
    if data is None or "://" in data:
        return data
    return str(home / data)
