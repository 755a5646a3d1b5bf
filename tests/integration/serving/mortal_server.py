"""A real server and its shipper, killed at one step after another; the last life goes on."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from service.server import Server
from serving.http import Access, ServingApp
from serving.metrics import ServingMetrics
from serving.predictor import Predictor
from serving.ship import ship
from serving.spool import Spool
from watchkeeper.clock import SteppedClock
from watchkeeper.database import make_engine
from watchkeeper.lake import Lake
from watchkeeper.registry.artifacts import Artifacts

OWNERS: dict[str, type[Any]] = {"Lake": Lake, "Spool": Spool}


def main() -> None:
    home, url, port, *deaths = sys.argv[1:]
    for death in deaths:
        # No thread and no connection exists before the fork: each life begins anew.
        child = os.fork()
        if child == 0:
            live(home, url, int(port), death)
        if death == "killed amid its work":
            time.sleep(0.5)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"{death!r} was never reached")
        print(death, flush=True)  # noqa: T201 - what the test reads
    live(home, url, int(port), None)


def live(home: str, url: str, port: int, death: str | None) -> None:
    engine, lake = make_engine(url), Lake(f"{home}/lake")
    spool = Spool(Path(home) / "spool", max_rows=10**6, max_bytes=10**9)
    clock = SteppedClock(datetime(2013, 6, 1, 12, tzinfo=UTC))
    predictor = Predictor(engine, Artifacts(Path(home) / "artifacts"), spool, clock)
    predictor.refresh()
    if death is not None and "." in death:
        die_at(death)
    metrics = ServingMetrics(CollectorRegistry(), spool.depth)
    app = ServingApp(predictor, metrics, authorise=lambda _: Access.ALLOWED)
    Server(app, host="127.0.0.1", port=port).start()
    rest = threading.Event()
    while not rest.wait(0.02):
        ship(spool, lake, engine, now=clock.now())


def die_at(step: str) -> None:
    """Die before or after the n-th call: ``Spool.append after 20``."""
    place, moment, number = step.split()
    owner, method = place.split(".")
    original = getattr(OWNERS[owner], method)
    calls = itertools.count(1)

    def dying(*args: Any, **more: Any) -> Any:
        last = next(calls) == int(number)
        if last and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **more)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(OWNERS[owner], method, dying)


if __name__ == "__main__":
    main()
