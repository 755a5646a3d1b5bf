"""The runs table: each fire time becomes one row, and each row's effect is committed once.

A claim is a lease on the database's clock with a fencing token. Whoever was paused for longer
than its lease finds the token changed when it finishes, and its transaction writes nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Delete,
    Float,
    Update,
    and_,
    delete,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from watchkeeper.database import now_sql
from watchkeeper.errors import LeaseLostError
from watchkeeper.jobs.model import Claim, Run, RunState, back_off
from watchkeeper.jobs.rows import LONGEST_ERROR, RunRow

#: Prefix, or prefixes, of schedules; None for all.
Schedules = str | tuple[str, ...] | None
#: Claims that may collide with others before one gives up until the next round.
ATTEMPTS = 20


class JobRuns:
    """The runs that one session sees; the caller commits.

    Claims, heartbeats and ends belong in transactions of ``watchkeeper.database.write``.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dialect = session.get_bind().dialect.name
        self._now: ColumnElement[float] = literal_column(f"({now_sql(self._dialect)})", Float)

    def materialise(self, schedule_id: str, fire_time: datetime, *, max_attempts: int = 5) -> bool:
        """Make a fire time a run that is due; any number of schedulers may try.

        Returns
        -------
        bool
            False when the run was there already.
        """
        insert: Any = sqlite_insert if self._dialect == "sqlite" else postgresql_insert
        added = self._session.scalar(
            insert(RunRow)
            .values(schedule_id=schedule_id, fire_time=fire_time, max_attempts=max_attempts)
            .on_conflict_do_nothing(index_elements=["schedule_id", "fire_time"])
            .returning(RunRow.id)
        )
        return added is not None

    def claim(self, owner: str, lease: float, schedules: Schedules = None) -> Claim | None:
        """Take the oldest run that is due, or whose owner let its lease run out.

        A schedule has one run at a time: while one is running, its later ones wait.

        Parameters
        ----------
        lease
            Seconds for which nobody else may take it.
        schedules
            Prefix, or prefixes, of the schedules that the owner can run; None for all.

        Returns
        -------
        Claim or None
            None when there is nothing to do now.
        """
        # A run that kills its worker each time would otherwise be taken up again for ever.
        given_up = self._failed("its worker stopped answering, time and again; given up")
        self._changed(_hopeless(self._now, schedules).values(**given_up))
        take = (
            _oldest(self._now, schedules)
            .values(
                state=RunState.RUNNING,
                owner=owner,
                lease_until=self._now + lease,
                token=RunRow.token + 1,
                attempts=RunRow.attempts + 1,
            )
            .returning(RunRow.schedule_id, RunRow.fire_time, RunRow.token, RunRow.attempts)
            .execution_options(synchronize_session=False)
        )
        for _ in range(ATTEMPTS):
            try:
                with self._session.begin_nested():
                    taken = self._session.execute(take).one_or_none()
            except IntegrityError:
                # Somebody took another run of the same schedule at the same moment.
                continue
            return None if taken is None else _to_claim(owner, *taken)
        return None

    def heartbeat(self, claim: Claim, lease: float) -> bool:
        """Extend the lease to ``lease`` seconds from now; False when it has passed to another."""
        return self._changed(_held(claim).values(lease_until=self._now + lease)) == 1

    def finish(self, claim: Claim) -> None:
        """Mark the run done; call it in the transaction that writes the run's effect.

        Raises
        ------
        LeaseLostError
            Another worker has taken the run over: let the transaction roll back.
        """
        done = {"state": RunState.DONE, "finished_at": self._now, "error": None}
        if not self._changed(_held(claim).values(**done)):
            raise _lost(claim)

    def fence(self, claim: Claim) -> None:
        """Make sure that the run is still held, until this transaction ends.

        Call it first in each transaction that writes a part of the run's effect before the end:
        nobody can take the run over until that part is committed.

        Raises
        ------
        LeaseLostError
            Another worker has taken the run over: let the transaction roll back.
        """
        if not self._changed(_held(claim).values(token=RunRow.token)):
            raise _lost(claim)

    def fail(self, claim: Claim, error: str, retry_in: float | None = None) -> bool:
        """Give the run back after a failure: due again after a while, or failed for good.

        Parameters
        ----------
        error
            Why, in one line.
        retry_in
            Seconds until the next attempt; None doubles the wait from failure to failure.

        Returns
        -------
        bool
            False when the lease has passed to another worker; nothing is written then.
        """
        spent = RunRow.attempts >= RunRow.max_attempts
        if self._changed(_held(claim).where(spent).values(**self._failed(error))):
            return True
        again = {
            "state": RunState.DUE,
            "not_before": self._now + (back_off(claim.attempt) if retry_in is None else retry_in),
            "owner": None,
            "lease_until": None,
            "error": error[:LONGEST_ERROR],
        }
        return self._changed(_held(claim).where(~spent).values(**again)) == 1

    def last_fire_time(self, schedule_id: str) -> datetime | None:
        """Return the newest fire time that became a run; None when there is none."""
        return self._session.scalar(
            select(func.max(RunRow.fire_time)).where(RunRow.schedule_id == schedule_id)
        )

    def of(self, schedule_id: str, *, limit: int = 1000) -> list[Run]:
        """Return the newest ``limit`` runs of one schedule, newest first."""
        rows = self._session.scalars(
            select(RunRow)
            .where(RunRow.schedule_id == schedule_id)
            .order_by(RunRow.fire_time.desc())
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        return [_to_run(row) for row in rows]

    def forget(self, before: datetime) -> int:
        """Delete ended runs with a fire time before ``before``; return how many.

        The newest run of each schedule stays: it says where to go on from.
        """
        newer = aliased(RunRow)
        return self._changed(
            delete(RunRow).where(
                RunRow.fire_time < before,
                RunRow.state.in_([RunState.DONE, RunState.FAILED]),
                exists().where(
                    newer.schedule_id == RunRow.schedule_id, newer.fire_time > RunRow.fire_time
                ),
            )
        )

    def _failed(self, error: str) -> dict[str, object]:
        return {
            "state": RunState.FAILED,
            "finished_at": self._now,
            "error": error[:LONGEST_ERROR],
        }

    def _changed(self, statement: Update | Delete) -> int:
        result = self._session.execute(statement.execution_options(synchronize_session=False))
        return cast("CursorResult[Any]", result).rowcount


def _held(claim: Claim) -> Update:
    return update(RunRow).where(
        RunRow.schedule_id == claim.schedule_id,
        RunRow.fire_time == claim.fire_time,
        RunRow.token == claim.token,
        RunRow.state == RunState.RUNNING,
    )


def _oldest(now: ColumnElement[float], schedules: Schedules) -> Update:
    other = aliased(RunRow)
    busy = exists().where(other.schedule_id == RunRow.schedule_id, other.state == RunState.RUNNING)
    oldest = (
        select(RunRow.id)
        .where(
            or_(
                and_(RunRow.state == RunState.DUE, RunRow.not_before <= now, ~busy),
                and_(RunRow.state == RunState.RUNNING, RunRow.lease_until < now),
            ),
            _of(schedules),
        )
        .order_by(RunRow.fire_time, RunRow.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=RunRow)
    )
    return update(RunRow).where(RunRow.id == oldest.scalar_subquery())


def _hopeless(now: ColumnElement[float], schedules: Schedules) -> Update:
    hopeless = (
        select(RunRow.id)
        .where(
            RunRow.state == RunState.RUNNING,
            RunRow.lease_until < now,
            RunRow.attempts >= RunRow.max_attempts,
            _of(schedules),
        )
        .with_for_update(skip_locked=True)
    )
    return update(RunRow).where(RunRow.id.in_(hopeless))


def _lost(claim: Claim) -> LeaseLostError:
    fire_time = claim.fire_time.isoformat()
    return LeaseLostError(f"{claim.schedule_id} of {fire_time}: the lease passed to another")


def _of(schedules: Schedules) -> ColumnElement[bool]:
    if schedules is None:
        return true()
    prefixes = (schedules,) if isinstance(schedules, str) else schedules
    # LIKE would ignore case on SQLite and heed it on PostgreSQL.
    starts = (func.substr(RunRow.schedule_id, 1, len(prefix)) == prefix for prefix in prefixes)
    return or_(false(), *starts)


def _to_claim(owner: str, schedule_id: str, fire_time: datetime, token: int, attempt: int) -> Claim:
    return Claim(
        schedule_id=schedule_id, fire_time=fire_time, owner=owner, token=token, attempt=attempt
    )


def _to_run(row: RunRow) -> Run:
    return Run(
        schedule_id=row.schedule_id,
        fire_time=row.fire_time,
        state=RunState(row.state),
        owner=row.owner,
        lease_until=row.lease_until,
        not_before=row.not_before,
        finished_at=row.finished_at,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        error=row.error,
    )
