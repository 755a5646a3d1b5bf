"""Ships a spool again and again, each time in a process that is killed at another step."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.repository import UnmatchedLabels
from serving.ship import ship
from serving.spool import Payload, Spool
from watchkeeper.database import make_engine
from watchkeeper.lake import Lake

OWNERS: dict[str, type[Any]] = {"Lake": Lake, "Spool": Spool, "UnmatchedLabels": UnmatchedLabels}


def main() -> None:
    home, url, *steps = sys.argv[1:]
    for number, step in enumerate(steps):
        # No thread and no connection exists before the fork: the child is as good as new.
        child = os.fork()
        if child == 0:
            try:
                ship_until(Path(home), url, step, number)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"{step!r} was never reached")


def ship_until(home: Path, url: str, step: str, number: int) -> None:
    spool = Spool(home / "spool", max_rows=10**6, max_bytes=10**9)
    request = home / "requests" / str(number)
    spool.append("predictions", "flights", 1, read(request / "predictions"))
    spool.append("labels", "flights", 0, read(request / "labels"))
    die_at(step)
    now = datetime(2013, 6, 1, 12, tzinfo=UTC)
    ship(spool, Lake(str(home / "lake")), make_engine(url), now=now)


def read(path: Path) -> Payload:
    return Payload(rows=2, content=path.read_bytes())


def die_at(step: str) -> None:
    place, _, moment = step.partition(" ")
    owner, method = place.split(".")
    original = getattr(OWNERS[owner], method)

    def dying(*args: Any, **more: Any) -> None:
        if moment == "after":
            original(*args, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(OWNERS[owner], method, dying)


if __name__ == "__main__":
    main()
