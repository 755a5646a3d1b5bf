"""Keeps the lease of a run up while the work is done, and hears when it must end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from retrain.claims import RetrainClaims
from retrain.model import RetrainRun
from watchkeeper.database import write
from watchkeeper.errors import LeaseLostError, TrainingError


class StoppedError(Exception):
    """The worker is shutting down; the run goes back into the queue."""


class Heart:
    """What is known of a run's right to go on.

    Parameters
    ----------
    stopping
        Whether the worker is shutting down.
    """

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping
        self.lost = threading.Event()
        self.cancelled = threading.Event()

    def check(self) -> None:
        """Go on, or raise.

        Raises
        ------
        LeaseLostError
            Another worker has taken the run over.
        TrainingError
            ``cancelled``: a person asked for the end.
        StoppedError
            The worker is shutting down.
        """
        if self.lost.is_set():
            raise LeaseLostError("the lease of the run passed to another worker")
        if self.cancelled.is_set():
            raise TrainingError("cancelled", "cancelled on request")
        if self._stopping():
            raise StoppedError


@contextmanager
def beating(
    engine: Engine, run: RetrainRun, lease: float, stopping: Callable[[], bool]
) -> Iterator[Heart]:
    """Extend the lease three times in every span of it, until the work is done.

    Parameters
    ----------
    lease
        Seconds.
    """
    heart, done = Heart(stopping), threading.Event()

    def beat() -> None:
        while not done.wait(lease / 3):
            try:
                with write(engine) as session:
                    if RetrainClaims(session).heartbeat(run, lease):
                        heart.cancelled.set()
            except OperationalError:
                # The database is away or busy: the lease may still hold when it is back.
                continue
            except LeaseLostError:
                heart.lost.set()
                return

    thread = threading.Thread(target=beat, name=f"retrain {run.id}", daemon=True)
    thread.start()
    try:
        yield heart
    finally:
        done.set()
        thread.join()
