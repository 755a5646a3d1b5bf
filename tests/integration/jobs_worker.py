"""A worker process for the crash test: takes runs until none is left.

Arguments: database URL, name, lease in seconds, seconds of work per run, and optionally a file
that it makes when it is in the middle of its first run, to stay there for a minute.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from watchkeeper.database import make_engine, read, write
from watchkeeper.jobs.model import Claim
from watchkeeper.jobs.run import Effect, run_claimed


def main() -> None:
    url, name, lease, work, *signal = sys.argv[1:]
    engine = make_engine(url)
    middle = Path(signal[0]) if signal else None

    def handle(claim: Claim, lost: threading.Event) -> Effect:
        if middle is not None and not middle.exists():
            middle.touch()
            # Woken when the lease turns out to be lost, yet it tries to finish all the same.
            lost.wait(60)
        time.sleep(float(work))

        def effect(session: Session) -> None:
            session.execute(
                text("INSERT INTO effects VALUES (:slot, :token, :name)"),
                {"slot": claim.fire_time.isoformat(), "token": claim.token, "name": name},
            )

        return effect

    while not _all_done(engine):
        outcome = run_claimed(engine, name, {"slot": handle}, float(lease))
        if outcome is None:
            time.sleep(0.05)
        elif outcome.end == "lost":
            with write(engine) as session:
                session.execute(text("INSERT INTO lost VALUES (:name)"), {"name": name})
    engine.dispose()


def _all_done(engine: Engine) -> bool:
    with read(engine) as session:
        return not session.scalar(text("SELECT count(*) FROM runs WHERE state <> 'done'"))


if __name__ == "__main__":
    main()
