"""The lease on a retraining run: claimed by one worker, kept up, and ended by whoever holds it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Float,
    and_,
    exists,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from retrain.model import Action, RetrainRun, RunState, Trigger
from retrain.repository import to_run
from retrain.rows import RetrainDecisionRow, RetrainRunRow
from watchkeeper.database import now_sql
from watchkeeper.errors import LeaseLostError

#: A run that has killed its worker so often is given up.
MOST_ATTEMPTS = 3


class RetrainClaims:
    """The leases that one session sees; the caller commits.

    Every method belongs in a transaction of ``watchkeeper.database.write``.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        dialect = session.get_bind().dialect.name
        self._now: ColumnElement[float] = literal_column(f"({now_sql(dialect)})", Float)

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
                    self._to_be_redone(),
                )
            )
            .order_by(RetrainRunRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        return self._take(RetrainRunRow.id == oldest, owner, lease, started_at)

    def start(
        self, run: RetrainRun, owner: str, lease: float, started_at: datetime
    ) -> RetrainRun | None:
        """Take one run that waits; None when somebody else has it."""
        waits = and_(RetrainRunRow.id == run.id, RetrainRunRow.state == RunState.QUEUED)
        return self._take(waits, owner, lease, started_at)

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

    def note(self, run: RetrainRun, *, data: Mapping[str, Any], log_path: str | None) -> None:
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

    def _take(
        self, which: ColumnElement[bool], owner: str, lease: float, started_at: datetime
    ) -> RetrainRun | None:
        row = self._session.scalars(
            update(RetrainRunRow)
            .where(which)
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

    def _expired(self) -> ColumnElement[bool]:
        return and_(RetrainRunRow.state == RunState.RUNNING, RetrainRunRow.lease_until < self._now)

    def _to_be_redone(self) -> ColumnElement[bool]:
        return and_(self._expired(), RetrainRunRow.attempts < MOST_ATTEMPTS)

    def _touch(self, run: RetrainRun, **values: object) -> None:
        statement = update(RetrainRunRow).where(
            RetrainRunRow.id == run.id,
            RetrainRunRow.token == run.token,
            RetrainRunRow.state == RunState.RUNNING,
        )
        changed = self._session.execute(
            statement.values(**values).execution_options(synchronize_session=False)
        )
        if cast("CursorResult[Any]", changed).rowcount != 1:
            raise LeaseLostError(
                f"retraining run {run.id} of {run.model}: the lease passed to another worker"
            )
