"""The runs table: each fire time becomes one row, and each row's effect is committed once.

A claim is a lease on the database's clock with a fencing token. Whoever was paused for longer
than its lease finds the token changed when it finishes, and its transaction writes nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    CursorResult,
    Float,
    Index,
    Integer,
    String,
    UniqueConstraint,
    Update,
    and_,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchkeeper.database import Base, UtcDateTime, now_sql
from watchkeeper.errors import LeaseLostError
from watchkeeper.jobs.model import Claim, Run, RunState, back_off

WALL = "wall time, database clock"
LONGEST_ERROR = 1000


class RunRow(Base):
    """One fire time of one schedule."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("schedule_id", "fire_time"),
        Index("ix_runs_state_fire_time", "state", "fire_time"),
        CheckConstraint("state IN ('due', 'running', 'done', 'failed')", name="state_is_known"),
        CheckConstraint(
            "state <> 'running' OR (owner IS NOT NULL AND lease_until IS NOT NULL)",
            name="running_has_a_lease",
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    schedule_id: Mapped[str] = mapped_column(String(200))
    fire_time: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")
    state: Mapped[str] = mapped_column(String(10), default=RunState.DUE)
    owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[float | None] = mapped_column(Float, comment=WALL)
    not_before: Mapped[float] = mapped_column(Float, default=0.0, comment=WALL)
    finished_at: Mapped[float | None] = mapped_column(Float, comment=WALL)
    token: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    max_attempts: Mapped[int] = mapped_column(Integer, default=5)
    error: Mapped[str | None] = mapped_column(String(LONGEST_ERROR))


class JobRuns:
    """The runs that one session sees; the caller commits.

    Claims, heartbeats and ends belong in transactions of ``watchkeeper.database.write``.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        dialect = session.get_bind().dialect.name
        self._insert: Any = sqlite_insert if dialect == "sqlite" else postgresql_insert
        self._now: ColumnElement[float] = literal_column(f"({now_sql(dialect)})", Float)

    def materialise(self, schedule_id: str, fire_time: datetime, *, max_attempts: int = 5) -> bool:
        """Make a fire time a run that is due; any number of schedulers may try.

        Returns
        -------
        bool
            False when the run was there already.
        """
        added = self._session.scalar(
            self._insert(RunRow)
            .values(schedule_id=schedule_id, fire_time=fire_time, max_attempts=max_attempts)
            .on_conflict_do_nothing(index_elements=["schedule_id", "fire_time"])
            .returning(RunRow.id)
        )
        return added is not None

    def claim(
        self, owner: str, lease: float, schedules: str | tuple[str, ...] | None = None
    ) -> Claim | None:
        """Take the oldest run that is due, or whose owner let its lease run out.

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
        self._give_up(schedules)
        oldest = (
            select(RunRow.id)
            .where(
                or_(
                    and_(RunRow.state == RunState.DUE, RunRow.not_before <= self._now),
                    and_(RunRow.state == RunState.RUNNING, RunRow.lease_until < self._now),
                ),
                _of(schedules),
            )
            .order_by(RunRow.fire_time, RunRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        row = self._session.execute(
            update(RunRow)
            .where(RunRow.id == oldest)
            .values(
                state=RunState.RUNNING,
                owner=owner,
                lease_until=self._now + lease,
                token=RunRow.token + 1,
                attempts=RunRow.attempts + 1,
            )
            .returning(RunRow.schedule_id, RunRow.fire_time, RunRow.token, RunRow.attempts)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if row is None:
            return None
        return Claim(
            schedule_id=row.schedule_id,
            fire_time=row.fire_time,
            owner=owner,
            token=row.token,
            attempt=row.attempts,
        )

    def heartbeat(self, claim: Claim, lease: float) -> bool:
        """Extend the lease to ``lease`` seconds from now; False when it has passed to another."""
        return self._touch(claim, lease_until=self._now + lease)

    def finish(self, claim: Claim) -> None:
        """Mark the run done; call it in the transaction that writes the run's effect.

        Raises
        ------
        LeaseLostError
            Another worker has taken the run over: let the transaction roll back.
        """
        if not self._touch(claim, state=RunState.DONE, finished_at=self._now, error=None):
            raise LeaseLostError(
                f"{claim.schedule_id} of {claim.fire_time.isoformat()}: the lease passed to another"
            )

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
        wait = back_off(claim.attempt) if retry_in is None else retry_in
        spent = RunRow.attempts >= RunRow.max_attempts
        if self._touch(claim, spent, **self._failed(error)):
            return True
        return self._touch(
            claim,
            ~spent,
            state=RunState.DUE,
            not_before=self._now + wait,
            owner=None,
            lease_until=None,
            error=error[:LONGEST_ERROR],
        )

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
        newest = select(func.max(RunRow.id)).group_by(RunRow.schedule_id)
        deleted = self._session.execute(
            delete(RunRow)
            .where(
                RunRow.fire_time < before,
                RunRow.state.in_([RunState.DONE, RunState.FAILED]),
                RunRow.id.not_in(newest),
            )
            .execution_options(synchronize_session=False)
        )
        return cast("CursorResult[Any]", deleted).rowcount

    def _touch(self, claim: Claim, *conditions: ColumnElement[bool], **values: object) -> bool:
        statement = update(RunRow).where(
            RunRow.schedule_id == claim.schedule_id,
            RunRow.fire_time == claim.fire_time,
            RunRow.token == claim.token,
            RunRow.state == RunState.RUNNING,
            *conditions,
        )
        return self._changed(statement.values(**values)) == 1

    def _give_up(self, schedules: str | tuple[str, ...] | None) -> None:
        # A run that kills its worker each time would otherwise be taken up again for ever.
        hopeless = (
            select(RunRow.id)
            .where(
                RunRow.state == RunState.RUNNING,
                RunRow.lease_until < self._now,
                RunRow.attempts >= RunRow.max_attempts,
                _of(schedules),
            )
            .with_for_update(skip_locked=True)
        )
        values = self._failed("its worker stopped answering, time and again; given up")
        self._changed(update(RunRow).where(RunRow.id.in_(hopeless)).values(**values))

    def _failed(self, error: str) -> dict[str, object]:
        return {
            "state": RunState.FAILED,
            "finished_at": self._now,
            "error": error[:LONGEST_ERROR],
        }

    def _changed(self, statement: Update) -> int:
        result = self._session.execute(statement.execution_options(synchronize_session=False))
        return cast("CursorResult[Any]", result).rowcount


def _of(schedules: str | tuple[str, ...] | None) -> ColumnElement[bool]:
    if schedules is None:
        return literal_column("1") == 1
    prefixes = (schedules,) if isinstance(schedules, str) else schedules
    # LIKE would ignore case on SQLite and heed it on PostgreSQL.
    return or_(*(func.substr(RunRow.schedule_id, 1, len(prefix)) == prefix for prefix in prefixes))


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
