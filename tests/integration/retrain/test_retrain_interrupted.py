"""Runs whose worker dies, stops, or is told to, on real processes and both databases."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import retraining
from retrain.claims import RetrainClaims
from retrain.conclude import RetrainOutcome
from retrain.memory import PolicyMemory
from retrain.model import RetrainRun, RunState
from retrain.repository import RetrainRuns
from retrain.run import RetrainWorker
from retrain.runner import Limits
from retraining import (
    NOW,
    World,
    place,
    queue,
    run,
    settings,
)
from watchkeeper.database import read, write
from watchkeeper.registry.repository import Deployments, ModelVersions


def test_a_cancelled_run_ends_soon_and_is_not_charged(
    world: World, deployed_sqlite: Engine
) -> None:
    (world.home / "slow.py").write_text("import time\ndef train(context):\n    time.sleep(600)\n")
    model = settings(command="slow.py:train")
    queued = queue(deployed_sqlite, model, automatic=True)

    def cancel(_model: str, step: str) -> None:
        if step.startswith("training"):
            with write(deployed_sqlite) as session:
                RetrainRuns(session).cancel(queued.id, by="ann", at=NOW)

    started = time.monotonic()
    outcome = run(
        world,
        deployed_sqlite,
        model,
        progress=cancel,
        lease=0.6,
        limits=Limits(timeout=60, memory=2 << 30, heartbeat=0.1),
    )

    assert outcome is not None
    assert outcome.text == "Retraining run 2 was cancelled: cancelled on request"
    assert time.monotonic() - started < 15
    with read(deployed_sqlite) as session:
        assert PolicyMemory(session).state("flights") is None


def test_a_worker_that_shuts_down_gives_its_run_back(world: World, deployed_sqlite: Engine) -> None:
    steps: list[str] = []
    queued = queue(deployed_sqlite, settings())
    outcome = run(
        world,
        deployed_sqlite,
        settings(),
        progress=lambda _model, step: steps.append(step),
        stopping=lambda: len(steps) >= 2,
        limits=Limits(timeout=60, memory=2 << 30, heartbeat=0.05),
    )

    assert outcome is None
    with read(deployed_sqlite) as session:
        waiting = RetrainRuns(session).get(queued.id)
    assert (waiting.state, waiting.attempts) == (RunState.QUEUED, 0)


def test_a_run_of_a_model_that_is_gone_fails_with_a_reason(
    world: World, deployed_sqlite: Engine
) -> None:
    queue(deployed_sqlite, settings())
    worker = RetrainWorker(place=place(world, deployed_sqlite), models={})
    outcome = worker.run_next(NOW)

    assert outcome is not None
    assert outcome.text == "Retraining run 2 failed: how to retrain it is no longer configured"
    assert worker.run_next(NOW) is None


def test_a_run_has_not_ended_when_its_end_cannot_be_passed_on(
    world: World, deployed: Engine
) -> None:
    def fail(_session: Session, _run: RetrainRun, _text: str) -> None:
        raise ConnectionError("the other room is away")

    queued = queue(deployed, settings())
    worker = RetrainWorker(place=place(world, deployed, announce=fail), models={})
    with pytest.raises(ConnectionError):
        worker.run_next(NOW)

    with read(deployed) as session:
        assert RetrainRuns(session).get(queued.id).state is RunState.RUNNING


WORKER = """
import sys
from datetime import datetime
from pathlib import Path

sys.path[:0] = {paths!r}
import retraining
from watchkeeper.database import make_engine

world = retraining.World(home=Path({home!r}), champion={champion!r})
engine = make_engine({url!r})

def slow(model, step):
    print(step, flush=True)

retraining.run(world, engine, retraining.settings(), lease=1.0, progress=slow)
"""


@pytest.mark.crash
def test_a_run_killed_before_its_end_is_taken_up_again_and_promotes_once(
    world: World, deployed: Engine, database_url: str, tmp_path: Path
) -> None:
    queue(deployed, settings(), automatic=True)
    kill_worker(world, database_url, tmp_path, at="judging it on")

    promotes_once(world, deployed)


@pytest.mark.crash
def test_a_run_killed_while_its_code_runs_is_taken_up_again_and_promotes_once(
    world: World, deployed_sqlite: Engine, sqlite_url: str, tmp_path: Path
) -> None:
    queue(deployed_sqlite, settings(), automatic=True)
    kill_worker(world, sqlite_url, tmp_path, at="training the challenger")

    promotes_once(world, deployed_sqlite)


def kill_worker(world: World, url: str, folder: Path, *, at: str) -> None:
    script = folder / "worker.py"
    script.write_text(
        WORKER.format(
            paths=[str(Path(retraining.__file__).parent)],
            home=str(world.home),
            champion=world.champion,
            url=url,
        )
    )
    worker = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    with worker.stdout:
        for line in worker.stdout:
            if line.startswith(at):
                break
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def promotes_once(world: World, engine: Engine) -> None:
    outcome = wait_for(lambda: run(world, engine, settings()))
    assert outcome.promoted, outcome.text
    assert outcome.run.attempts == 2
    with read(engine) as session:
        assert [line.version for line in Deployments(session).history("flights")] == [1, 2]
        assert len(ModelVersions(session).of("flights")) == 2
    assert run(world, engine, settings()) is None


def wait_for(attempt: Callable[[], RetrainOutcome | None]) -> RetrainOutcome:
    deadline = time.monotonic() + 20
    while (found := attempt()) is None:
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.1)
    return found


def test_a_run_that_keeps_killing_its_worker_is_given_up(world: World, deployed: Engine) -> None:
    queue(deployed, settings(), automatic=True)
    for _ in range(3):
        with write(deployed) as session:
            assert RetrainClaims(session).claim("dead", -1, NOW) is not None
    outcome = run(world, deployed, settings())

    assert outcome is not None
    assert outcome.text == (
        "Retraining run 2 failed: its worker stopped answering 3 times; given up"
    )
