from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from watchkeeper.database import read, write
from watchkeeper.errors import LeaseLostError, TableError
from watchkeeper.jobs.model import Claim, RunState
from watchkeeper.jobs.repository import JobRuns
from watchkeeper.jobs.run import Effect, Handler, run_claimed

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EXPIRED = -1.0
"""A lease that has run out as soon as it begins."""


def due(engine: Engine, *schedules: str, max_attempts: int = 5) -> None:
    with write(engine) as session:
        for schedule in schedules:
            JobRuns(session).materialise(schedule, NOON, max_attempts=max_attempts)


def claim(engine: Engine, owner: str = "a", lease: float = 60, **more: str) -> Claim | None:
    with write(engine) as session:
        return JobRuns(session).claim(owner, lease, **more)


def claimed(engine: Engine, owner: str = "a", lease: float = 60) -> Claim:
    taken = claim(engine, owner, lease)
    assert taken is not None
    return taken


def state(engine: Engine, schedule: str = "tick") -> RunState:
    with read(engine) as session:
        return JobRuns(session).of(schedule)[0].state


def test_a_fire_time_becomes_one_run_however_many_schedulers_try(engine: Engine) -> None:
    with write(engine) as session:
        runs = JobRuns(session)
        tries = [runs.materialise("tick", time) for time in (NOON, NOON, NOON + HOUR)]

    assert tries == [True, False, True]


def test_the_oldest_run_is_claimed_first_and_only_once(engine: Engine) -> None:
    with write(engine) as session:
        for hour in (2, 0, 1):
            JobRuns(session).materialise(f"tick:{hour}", NOON + hour * HOUR)

    taken = [claim(engine) for _ in range(4)]

    assert [run and run.fire_time for run in taken] == [NOON, NOON + HOUR, NOON + 2 * HOUR, None]


def test_two_open_transactions_never_claim_the_same_run(postgres_engine: Engine) -> None:
    # On SQLite the second transaction would wait for the first.
    due(postgres_engine, "one", "two")

    with write(postgres_engine) as first, write(postgres_engine) as second:
        taken = [JobRuns(session).claim("a", 60) for session in (first, second, second)]

    assert [run and run.schedule_id for run in taken] == ["one", "two", None]


def test_a_schedule_has_one_run_at_a_time(engine: Engine) -> None:
    with write(engine) as session:
        for hour in (0, 1):
            JobRuns(session).materialise("tick", NOON + hour * HOUR)
    first = claimed(engine)
    assert claim(engine, "other") is None

    with write(engine) as session:
        JobRuns(session).finish(first)
    assert claimed(engine, "other").fire_time == NOON + HOUR


def test_claims_at_once_take_one_run_of_each_schedule(engine: Engine) -> None:
    with write(engine) as session:
        for hour in range(4):
            for schedule in ("one", "two", "three"):
                JobRuns(session).materialise(schedule, NOON + hour * HOUR)
    taken: list[Claim | None] = []
    start = threading.Barrier(6)

    def take() -> None:
        start.wait()
        taken.append(claim(engine))

    claimants = [threading.Thread(target=take) for _ in range(6)]
    for claimant in claimants:
        claimant.start()
    for claimant in claimants:
        claimant.join()

    held = sorted(run.schedule_id for run in taken if run is not None)
    assert len(held) == len(set(held))
    assert all(run is None or run.fire_time == NOON for run in taken)
    while (more := claim(engine)) is not None:
        held.append(more.schedule_id)
    assert sorted(held) == ["one", "three", "two"]


def test_a_part_of_an_effect_is_fenced_as_well(engine: Engine) -> None:
    due(engine, "tick")
    first = claimed(engine, "first", EXPIRED)
    with write(engine) as session:
        JobRuns(session).fence(first)
    second = claimed(engine, "second")

    with write(engine) as session:
        JobRuns(session).fence(second)
    with pytest.raises(LeaseLostError), write(engine) as session:
        JobRuns(session).fence(first)


def test_only_the_schedules_asked_for_are_claimed(engine: Engine) -> None:
    due(engine, "retrain:flights")

    assert claim(engine, schedules="tick:") is None
    assert claim(engine, schedules="RETRAIN:") is None
    assert claim(engine, schedules="retrain:") is not None


def test_a_run_whose_lease_ran_out_passes_to_another(engine: Engine) -> None:
    due(engine, "tick")
    first = claimed(engine, "first", EXPIRED)
    second = claimed(engine, "second")

    assert second.token > first.token
    assert second.attempt == 2
    with write(engine) as session:
        assert not JobRuns(session).heartbeat(first, 60)
        assert JobRuns(session).heartbeat(second, 60)
        assert not JobRuns(session).fail(first, "late")
        with pytest.raises(LeaseLostError, match="tick of 2013-06-01T12:00:00"):
            JobRuns(session).finish(first)
        JobRuns(session).finish(second)
    assert state(engine) is RunState.DONE


def test_a_heartbeat_keeps_others_away(engine: Engine) -> None:
    due(engine, "tick")
    held = claimed(engine, lease=EXPIRED)
    with write(engine) as session:
        assert JobRuns(session).heartbeat(held, 60)

    assert claim(engine, "other") is None


def test_a_finished_run_cannot_be_finished_again(engine: Engine) -> None:
    due(engine, "tick")
    held = claimed(engine)
    with write(engine) as session:
        JobRuns(session).finish(held)

    with pytest.raises(LeaseLostError), write(engine) as session:
        JobRuns(session).finish(held)


def test_a_failed_attempt_waits_before_the_next(engine: Engine) -> None:
    due(engine, "tick")
    held = claimed(engine)
    with write(engine) as session:
        assert JobRuns(session).fail(held, "the lake is away")

    assert claim(engine) is None
    with read(engine) as session:
        run = JobRuns(session).of("tick")[0]
    assert (run.state, run.error) == (RunState.DUE, "the lake is away")
    assert 0 < run.not_before - time.time() <= 60


def test_a_failed_attempt_may_be_repeated_at_once(engine: Engine) -> None:
    due(engine, "tick")
    held = claimed(engine)
    with write(engine) as session:
        JobRuns(session).fail(held, "try again", retry_in=0)

    assert claimed(engine).attempt == 2


def test_the_last_attempt_fails_for_good_and_says_why(engine: Engine) -> None:
    due(engine, "tick", max_attempts=2)
    for _ in range(2):
        held = claimed(engine)
        with write(engine) as session:
            JobRuns(session).fail(held, "no such column", retry_in=0)

    assert claim(engine) is None
    with read(engine) as session:
        run = JobRuns(session).of("tick")[0]
    assert (run.state, run.error, run.attempts) == (RunState.FAILED, "no such column", 2)


def test_a_run_that_kills_its_worker_is_given_up(engine: Engine) -> None:
    due(engine, "tick", max_attempts=2)
    claimed(engine, lease=EXPIRED)
    claimed(engine, lease=EXPIRED)

    assert claim(engine) is None
    with read(engine) as session:
        run = JobRuns(session).of("tick")[0]
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert "stopped answering" in run.error


def test_old_runs_are_forgotten_but_not_where_to_go_on(engine: Engine) -> None:
    with write(engine) as session:
        for hour in range(4):
            JobRuns(session).materialise("tick", NOON + hour * HOUR)
    for _ in range(4):
        held = claimed(engine)
        with write(engine) as session:
            JobRuns(session).finish(held)

    with write(engine) as session:
        assert JobRuns(session).forget(NOON + 9 * HOUR) == 3
        assert JobRuns(session).last_fire_time("tick") == NOON + 3 * HOUR
        assert JobRuns(session).last_fire_time("other") is None


def test_the_database_refuses_a_run_that_nobody_holds(engine: Engine) -> None:
    due(engine, "tick")
    with pytest.raises(IntegrityError), write(engine) as session:
        session.execute(text("UPDATE runs SET state = 'running'"))


def test_the_effect_and_the_end_are_one(engine: Engine) -> None:
    due(engine, "tick")

    def handle(claim: Claim, lost: threading.Event) -> Effect:
        return lambda session: session.execute(text("INSERT INTO nowhere VALUES (1)")) and None

    outcome = run_claimed(engine, "a", {"tick": handle}, 60)

    assert outcome is not None
    assert outcome.end == "failed"
    assert state(engine) is RunState.DUE


def test_the_runner_reports_an_error_in_one_line(engine: Engine) -> None:
    due(engine, "tick")

    def handle(claim: Claim, lost: threading.Event) -> None:
        raise TableError("cut short\nat byte 9", table="a.parquet")

    outcome = run_claimed(engine, "a", {"tick": handle}, 60)

    assert outcome is not None
    assert outcome.error == "a.parquet: cut short at byte 9"


def test_the_runner_uses_the_handler_with_the_longest_prefix(engine: Engine) -> None:
    due(engine, "tick:flights")
    used: list[str] = []

    def note(name: str) -> Handler:
        return lambda *_: lambda _: used.append(name)

    handlers = {"tick": note("general"), "tick:flights": note("special")}

    assert run_claimed(engine, "a", handlers, 60) is not None
    assert run_claimed(engine, "a", handlers, 60) is None
    assert used == ["special"]


def test_the_runner_keeps_the_lease_up_while_the_handler_works(engine: Engine) -> None:
    due(engine, "tick")
    others: list[Claim | None] = []

    def handle(held: Claim, lost: threading.Event) -> None:
        assert not lost.wait(1.0)
        others.append(claim(engine, "other"))

    outcome = run_claimed(engine, "a", {"tick": handle}, 0.4)

    assert outcome is not None
    assert outcome.end == "done"
    assert others == [None]


def test_the_runner_tells_the_handler_that_the_lease_is_lost(engine: Engine) -> None:
    due(engine, "tick")

    def handle(held: Claim, lost: threading.Event) -> Effect:
        with write(engine) as session:
            session.execute(text("UPDATE runs SET token = token + 1"))
        assert lost.wait(10)
        return lambda _: pytest.fail("nothing may be written")

    outcome = run_claimed(engine, "a", {"tick": handle}, 0.3)

    assert outcome is not None
    assert outcome.end == "lost"
