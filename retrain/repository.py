"""The runs of retraining: queued once per cause, claimed by lease, ended by whoever holds it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Float,
    Update,
    and_,
    exists,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from retrain.model import LIVE, Action, RetrainRun, RunState, Trigger
from retrain.rows import RetrainDecisionRow, RetrainRunRow
from watchkeeper.database import now_sql
from watchkeeper.errors import ConflictError, LeaseLostError, NotFoundError

#: A run that has killed its worker so often is given up.
MOST_ATTEMPTS = 3


class RetrainRuns:
    """The runs that one session sees; the caller commits.

    Claims, heartbeats and ends belong in transactions of ``watchkeeper.database.write``.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        dialect = session.get_bind().dialect.name
        self._now: ColumnElement[float] = literal_column(f"({now_sql(dialect)})", Float)

    def add(
        self,
        *,
        model: str,
        trigger: Trigger,
        cause: str,
        retrain_key: str,
        requested_by: str,
        seed: int,
        fits: int,
        queued_at: datetime,
    ) -> RetrainRun | None:
        """Queue a run; None when the model has a live one, or this cause has had its run."""
        row = RetrainRunRow(
            model=model,
            trigger=trigger,
            cause=cause,
            retrain_key=retrain_key,
            requested_by=requested_by,
            seed=seed,
            fits=fits,
            queued_at=queued_at,
        )
        # A savepoint keeps the caller's transaction usable when somebody was first.
        try:
            with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError:
            return None
        return to_run(row)

    def claim(self, owner: str, lease: float, started_at: datetime) -> RetrainRun | None:
        """Take the oldest run that waits, or whose worker let its lease run out.

        Runs of a model whose input is broken wait until it is whole again, unless a person asked
        for them.

        Parameters
        ----------
        lease
            Seconds for which nobody else may take it.
        started_at
            Event time.
        """
        held = exists().where(
            RetrainDecisionRow.model == RetrainRunRow.model,
            RetrainDecisionRow.action == Action.HELD,
            RetrainDecisionRow.ended_at.is_(None),
        )
        oldest = (
            select(RetrainRunRow.id)
            .where(
                or_(
                    and_(
                        RetrainRunRow.state == RunState.QUEUED,
                        or_(RetrainRunRow.trigger == Trigger.MANUAL, ~held),
                    ),
                    self._abandoned(),
                )
            )
            .order_by(RetrainRunRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        row = self._session.scalars(
            update(RetrainRunRow)
            .where(RetrainRunRow.id == oldest)
            .values(
                state=RunState.RUNNING,
                owner=owner,
                lease_until=self._now + lease,
                token=RetrainRunRow.token + 1,
                attempts=RetrainRunRow.attempts + 1,
                started_at=started_at,
            )
            .returning(RetrainRunRow)
            .execution_options(synchronize_session=False, populate_existing=True)
        ).one_or_none()
        return None if row is None else to_run(row)

    def heartbeat(self, run: RetrainRun, lease: float) -> bool:
        """Extend the lease to ``lease`` seconds from now.

        Returns
        -------
        bool
            True when somebody asked for the run to be cancelled.

        Raises
        ------
        LeaseLostError
            The run has passed to another worker.
        """
        self._touch(run, lease_until=self._now + lease)
        wanted = select(RetrainRunRow.cancel_requested).where(RetrainRunRow.id == run.id)
        return bool(self._session.scalar(wanted))

    def finish(
        self,
        run: RetrainRun,
        state: RunState,
        *,
        reason: str,
        finished_at: datetime,
        version: int | None = None,
        evaluation: Mapping[str, Any] | None = None,
    ) -> None:
        """End the run; call it in the transaction that writes the run's effects.

        Raises
        ------
        LeaseLostError
            The run has passed to another worker: let the transaction roll back.
        """
        self._touch(
            run,
            state=state,
            reason=reason,
            finished_at=finished_at,
            version=version,
            evaluation=None if evaluation is None else dict(evaluation),
        )

    def note(self, run: RetrainRun, *, data: Mapping[str, Any], log_path: str) -> None:
        """Store what the run trains on and where its log is; raises as `finish` does."""
        self._touch(run, data=dict(data), log_path=log_path)

    def release(self, run: RetrainRun) -> None:
        """Put a run back into the queue, as if it had not been claimed; raises as `finish` does."""
        self._touch(
            run,
            state=RunState.QUEUED,
            owner=None,
            lease_until=None,
            attempts=RetrainRunRow.attempts - 1,
        )

    def abandoned(self) -> RetrainRun | None:
        """Return a run that has killed its worker too often; None when there is none."""
        row = self._session.scalars(
            select(RetrainRunRow)
            .where(self._expired(), RetrainRunRow.attempts >= MOST_ATTEMPTS)
            .order_by(RetrainRunRow.id)
            .limit(1)
            .execution_options(populate_existing=True)
        ).one_or_none()
        return None if row is None else to_run(row)

    def cancel(self, run_id: int, *, by: str, at: datetime) -> RetrainRun:
        """Cancel a run that waits, or ask the worker of one that runs to end it.

        Raises
        ------
        NotFoundError, ConflictError
            There is no such run, or it has ended.
        """
        waiting = (RetrainRunRow.id == run_id, RetrainRunRow.state == RunState.QUEUED)
        ended = {"state": RunState.CANCELLED, "reason": f"cancelled by {by}", "finished_at": at}
        if self._changed(update(RetrainRunRow).where(*waiting).values(**ended)):
            return self.get(run_id)
        running = (RetrainRunRow.id == run_id, RetrainRunRow.state == RunState.RUNNING)
        if self._changed(update(RetrainRunRow).where(*running).values(cancel_requested=True)):
            return self.get(run_id)
        raise ConflictError(f"run {run_id} has ended: {self.get(run_id).state}")

    def get(self, run_id: int) -> RetrainRun:
        """Return one run.

        Raises
        ------
        NotFoundError
            There is no such run.
        """
        row = self._session.get(RetrainRunRow, run_id, populate_existing=True)
        if row is None:
            raise NotFoundError("retraining run", str(run_id))
        return to_run(row)

    def live(self, model: str) -> RetrainRun | None:
        """Return the run of a model that waits or runs; None when there is none."""
        row = self._session.scalars(
            select(RetrainRunRow).where(RetrainRunRow.model == model, RetrainRunRow.state.in_(LIVE))
        ).one_or_none()
        return None if row is None else to_run(row)

    def of(self, model: str | None = None, *, limit: int = 100) -> list[RetrainRun]:
        """Return the newest runs of one model, or of all, newest first."""
        wanted = select(RetrainRunRow).order_by(RetrainRunRow.id.desc()).limit(limit)
        if model is not None:
            wanted = wanted.where(RetrainRunRow.model == model)
        return [to_run(row) for row in self._session.scalars(wanted)]

    def _expired(self) -> ColumnElement[bool]:
        return and_(RetrainRunRow.state == RunState.RUNNING, RetrainRunRow.lease_until < self._now)

    def _abandoned(self) -> ColumnElement[bool]:
        return and_(self._expired(), RetrainRunRow.attempts < MOST_ATTEMPTS)

    def _touch(self, run: RetrainRun, **values: object) -> None:
        statement = update(RetrainRunRow).where(
            RetrainRunRow.id == run.id,
            RetrainRunRow.token == run.token,
            RetrainRunRow.state == RunState.RUNNING,
        )
        if not self._changed(statement.values(**values)):
            raise LeaseLostError(
                f"retraining run {run.id} of {run.model}: the lease passed to another worker"
            )

    def _changed(self, statement: Update) -> bool:
        result = self._session.execute(statement.execution_options(synchronize_session=False))
        return cast("CursorResult[Any]", result).rowcount == 1


def to_run(row: RetrainRunRow) -> RetrainRun:
    """Return the run that a row holds."""
    return RetrainRun(
        id=row.id,
        model=row.model,
        state=RunState(row.state),
        trigger=Trigger(row.trigger),
        cause=row.cause,
        retrain_key=row.retrain_key,
        requested_by=row.requested_by,
        seed=row.seed,
        fits=row.fits,
        queued_at=row.queued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        attempts=row.attempts,
        token=row.token,
        log_path=row.log_path,
        version=row.version,
        reason=row.reason,
        data=dict(row.data),
        evaluation=None if row.evaluation is None else dict(row.evaluation),
    )
