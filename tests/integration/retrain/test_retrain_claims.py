"""Who may work on a run, and for how long, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from retrain.claims import MOST_ATTEMPTS, RetrainClaims
from retrain.model import RunState, Trigger
from retrain.repository import RetrainRuns
from retrain.rows import RetrainRunRow
from watchkeeper.database import write
from watchkeeper.errors import ConflictError, LeaseLostError, NotFoundError

START = datetime(2013, 6, 1, tzinfo=UTC)


def queue(session: Session, key: str, model: str = "flights") -> Any:
    return RetrainRuns(session).add(
        model=model,
        trigger=Trigger.MANUAL,
        cause="test",
        retrain_key=key,
        requested_by="test",
        seed=1,
        fits=1,
        queued_at=START,
    )


def test_one_live_run_per_model_is_a_rule_of_the_database(engine: Engine) -> None:
    with write(engine) as session:
        assert queue(session, "a") is not None
        assert queue(session, "b") is None
        assert queue(session, "c", model="trains") is not None
    with pytest.raises(IntegrityError), write(engine) as session:
        session.add(
            RetrainRunRow(
                model="flights",
                trigger="manual",
                cause="",
                retrain_key="d",
                requested_by="",
                seed=1,
                queued_at=START,
            )
        )


def test_two_workers_never_hold_the_same_run(engine: Engine) -> None:
    with write(engine) as session:
        queue(session, "a")
    with write(engine) as session:
        first = RetrainClaims(session).claim("one", 60, START)
    with write(engine) as session:
        assert RetrainClaims(session).claim("two", 60, START) is None
    assert first is not None


def test_a_lost_lease_can_write_nothing_more(engine: Engine) -> None:
    with write(engine) as session:
        queue(session, "a")
        first = RetrainClaims(session).claim("one", -1, START)
    with write(engine) as session:
        second = RetrainClaims(session).claim("two", 60, START)
    assert first is not None
    assert second is not None
    assert second.attempts == 2

    with pytest.raises(LeaseLostError, match="run 1 of flights"), write(engine) as session:
        RetrainClaims(session).finish(first, RunState.SUCCEEDED, reason="", finished_at=START)
    with pytest.raises(LeaseLostError), write(engine) as session:
        RetrainClaims(session).heartbeat(first, 60)
    with write(engine) as session:
        assert RetrainClaims(session).heartbeat(second, 60) is False


def test_a_run_that_kills_its_worker_is_given_up(engine: Engine) -> None:
    with write(engine) as session:
        queue(session, "a")
    for _ in range(MOST_ATTEMPTS):
        with write(engine) as session:
            assert RetrainClaims(session).abandoned() is None
            assert RetrainClaims(session).claim("one", -1, START) is not None
    with write(engine) as session:
        assert RetrainClaims(session).claim("one", -1, START) is None
        assert RetrainClaims(session).abandoned() is not None


def test_a_released_run_is_as_if_it_had_never_been_claimed(engine: Engine) -> None:
    with write(engine) as session:
        queue(session, "a")
        run = RetrainClaims(session).claim("one", 60, START)
        assert run is not None
        RetrainClaims(session).release(run)
    with write(engine) as session:
        again = RetrainClaims(session).claim("two", 60, START)
        assert again is not None
        assert again.attempts == 1


def test_a_waiting_run_is_cancelled_and_a_running_one_is_asked_to_end(engine: Engine) -> None:
    with write(engine) as session:
        queue(session, "a")
        assert RetrainRuns(session).cancel(1, by="ann", at=START).state is RunState.CANCELLED
        with pytest.raises(ConflictError, match="run 1 has ended: cancelled"):
            RetrainRuns(session).cancel(1, by="ann", at=START)
        with pytest.raises(NotFoundError, match="no retraining run '9'"):
            RetrainRuns(session).cancel(9, by="ann", at=START)
        queue(session, "b")
        run = RetrainClaims(session).claim("one", 60, START)
        assert run is not None
        RetrainRuns(session).cancel(run.id, by="ann", at=START)
        assert RetrainClaims(session).heartbeat(run, 60) is True
