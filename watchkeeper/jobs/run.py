"""Carry a claimed run through: keep its lease up, commit its effect together with its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from watchkeeper.database import write
from watchkeeper.errors import LeaseLostError, WatchkeeperError
from watchkeeper.jobs.model import Claim
from watchkeeper.jobs.repository import JobRuns

log = structlog.get_logger()

#: Writes what a run found out, in the transaction that ends the run.
Effect = Callable[[Session], None]
#: Does the work of a run outside any transaction; the event is set when the lease is lost.
Handler = Callable[[Claim, threading.Event], Effect | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How one claimed run went.

    Parameters
    ----------
    end
        ``done``: its effect is committed; ``failed``: this attempt was given back, ``error``
        says why; ``lost``: another worker took it over, nothing was written.
    """

    claim: Claim
    end: Literal["done", "failed", "lost"]
    error: str | None = None


def run_claimed(
    engine: Engine, owner: str, handlers: Mapping[str, Handler], lease: float
) -> Outcome | None:
    """Claim the oldest run that one of the handlers can do, and carry it through.

    Parameters
    ----------
    owner
        Name of this worker, for the reader of the table.
    handlers
        Handler by prefix of the schedule's name; the longest prefix that fits is used.
    lease
        Seconds after which others may take the run over when this process stops. It is
        extended three times in every such span while the handler works.

    Returns
    -------
    Outcome or None
        None when there was nothing to do.
    """
    with write(engine) as session:
        claim = JobRuns(session).claim(owner, lease, tuple(handlers))
    if claim is None:
        return None
    prefix = max((name for name in handlers if claim.schedule_id.startswith(name)), key=len)
    try:
        with _lease_kept_up(engine, claim, lease) as lost:
            effect = handlers[prefix](claim, lost)
            _commit(engine, claim, effect)
    except LeaseLostError:
        log.warning("lease lost", schedule=claim.schedule_id, fire_time=claim.fire_time)
        return Outcome(claim=claim, end="lost")
    except Exception as exc:  # noqa: BLE001 - one broken run must not stop the worker
        return _give_back(engine, claim, exc)
    return Outcome(claim=claim, end="done")


def _commit(engine: Engine, claim: Claim, effect: Effect | None) -> None:
    with write(engine) as session:
        # First the end, then the effect: the row stays locked, so nobody can take over between.
        JobRuns(session).finish(claim)
        if effect is not None:
            effect(session)


def _give_back(engine: Engine, claim: Claim, exc: Exception) -> Outcome:
    error = _one_line(exc)
    log.error("run failed", schedule=claim.schedule_id, attempt=claim.attempt, error=error)
    with write(engine) as session:
        kept = JobRuns(session).fail(claim, error)
    return Outcome(claim=claim, end="failed" if kept else "lost", error=error)


def _one_line(exc: Exception) -> str:
    words = " ".join(str(exc).split())
    return words if isinstance(exc, WatchkeeperError) else f"{type(exc).__name__}: {words}"


@contextmanager
def _lease_kept_up(engine: Engine, claim: Claim, lease: float) -> Iterator[threading.Event]:
    lost, stop = threading.Event(), threading.Event()

    def beat() -> None:
        while not stop.wait(lease / 3):
            try:
                with write(engine) as session:
                    kept = JobRuns(session).heartbeat(claim, lease)
            except OperationalError:
                # The database is away or busy: the lease may still hold when it is back.
                continue
            if not kept:
                lost.set()
                return

    heart = threading.Thread(target=beat, name=f"heartbeat {claim.schedule_id}", daemon=True)
    heart.start()
    try:
        yield lost
    finally:
        stop.set()
        heart.join()
