"""One run's folder, in which models are fitted: each in a folder and a process of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from retrain.dataset import Dataset
from retrain.model import RetrainRun
from retrain.runner import LOG_FILE, Limits, train
from serving.artifact import LoadedModel, load
from watchkeeper.errors import ArtifactError, TrainingError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import FeatureSchema
from watchkeeper.training import CONTEXT_FILE, FEATURES_FILE, ROWS_FILE


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A model that was trained, saved, and loaded again.

    Parameters
    ----------
    artifact
        Its folder.
    rows, begins, ends
        What it was trained on: how many rows, and the event times of the first and the last.
    seen
        Smallest and largest finite value of each numerical column that it was trained on.
    """

    model: LoadedModel
    artifact: Path
    rows: int
    begins: datetime
    ends: datetime
    seen: Mapping[str, tuple[float, float]]

    @property
    def log(self) -> Path:
        """What the training code printed."""
        return self.artifact.parent / LOG_FILE


@dataclass(frozen=True, kw_only=True, slots=True)
class Workshop:
    """Where and how the models of one run are fitted.

    Parameters
    ----------
    folder
        Of the run; made when it is not there.
    home
        The project's folder, with the training code.
    trusted
        Types that a stored estimator may be made of.
    alive
        Raises when the run must end.
    """

    run: RetrainRun
    settings: ModelSettings
    folder: Path
    home: Path
    limits: Limits
    trusted: tuple[str, ...]
    alive: Callable[[], None]

    def fit(self, name: str, rows: Dataset, schema: FeatureSchema) -> Fitted:
        """Train on some rows in ``<folder>/<name>``, and believe the result when it loads.

        Raises
        ------
        TrainingError
            See `retrain.runner.train`.
        """
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        rows.write(folder, schema)
        self._write_order(folder, schema)
        artifact = train(folder, home=self.home, limits=self.limits, alive=self.alive)
        try:
            model = load(artifact, schema, self.trusted)
        except ArtifactError as exc:
            raise TrainingError("refused", f"the saved model cannot be served: {exc}") from exc
        return Fitted(
            model=model,
            artifact=artifact,
            rows=len(rows),
            begins=rows.timestamps.iloc[0].to_pydatetime(),
            ends=rows.timestamps.iloc[-1].to_pydatetime(),
            seen=_ranges(rows.features),
        )

    def clear(self) -> None:
        """Remove the copies of the rows; logs and what the code left in ``output`` stay."""
        for name in (FEATURES_FILE, ROWS_FILE):
            for path in self.folder.glob(f"*/{name}"):
                path.unlink(missing_ok=True)

    def _write_order(self, folder: Path, schema: FeatureSchema) -> None:
        retrain = self.settings.retrain
        order = {
            "model": self.settings.model,
            "settings": self.settings.model_dump(mode="json"),
            "schema": schema.to_dict(),
            "seed": self.run.seed,
            "command": "" if retrain is None else retrain.command,
            "home": str(self.home.absolute()),
            "memory": self.limits.memory,
            "trusted": list(self.trusted),
        }
        (folder / CONTEXT_FILE).write_text(json.dumps(order), encoding="utf-8")


def _ranges(features: pd.DataFrame) -> dict[str, tuple[float, float]]:
    numbers = features.select_dtypes("number")
    finite = numbers.where(np.isfinite(numbers.to_numpy(dtype=float, na_value=np.nan)))
    return {
        str(name): (float(column.min()), float(column.max()))
        for name, column in finite.items()
        if column.notna().any()
    }
