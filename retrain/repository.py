"""The runs of retraining: queued once per cause, at most one live run per model."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Update, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from retrain.model import LIVE, RetrainRun, RunState, Trigger
from retrain.rows import RetrainRunRow
from watchkeeper.errors import ConflictError, NotFoundError


class RetrainRuns:
    """The runs that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

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
