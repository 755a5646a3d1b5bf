"""What retraining works with: the databases, the folders, the limits, and who holds the lease."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from retrain.model import RetrainRun
from retrain.register import StoreReference
from retrain.runner import Limits
from retrain.workshop import Workshop
from serving.artifact import TRUSTED_TYPES
from watchkeeper.clock import Clock
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.artifacts import Artifacts

#: Told the model and one line about each step of a run.
Progress = Callable[[str, str], None]
#: Told of a run that ends and one line about it, in the transaction that ends it.
Announce = Callable[[Session, RetrainRun, str], None]


def _silent(_model: str, _step: str) -> None:
    return


def _to_nobody(_session: Session, _run: RetrainRun, _text: str) -> None:
    return


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """Everything that the use cases of retraining share.

    Parameters
    ----------
    home, runs
        The project's folder with the training code, and where runs keep their logs.
    trusted
        Types that a stored estimator may be made of.
    owner, lease
        Name of this worker, and seconds after which others may take its run over.
    store
        Stores the reference of a new version.
    stopping
        Whether the worker is shutting down: a run that is under way goes back into the queue.
    announce
        Passes the end of a run on to other rooms; when it fails, the run has not ended.
    """

    engine: Engine
    lake: Lake
    artifacts: Artifacts
    clock: Clock
    home: Path
    runs: Path
    limits: Limits
    store: StoreReference
    owner: str
    lease: float = 60.0
    trusted: tuple[str, ...] = TRUSTED_TYPES
    stopping: Callable[[], bool] = field(default=_never)
    progress: Progress = field(default=_silent)
    announce: Announce = field(default=_to_nobody)

    def workshop(
        self, run: RetrainRun, settings: ModelSettings, alive: Callable[[], None]
    ) -> Workshop:
        """Return the folder of a run, ready to fit models in."""
        return Workshop(
            run=run,
            settings=settings,
            folder=(self.runs / run.model / str(run.id)).absolute(),
            home=self.home,
            limits=self.limits,
            trusted=self.trusted,
            alive=alive,
        )
