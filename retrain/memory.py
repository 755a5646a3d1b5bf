"""What retraining remembers between windows: decisions, quarantine, policies' state and view."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from monitor.upsert import upsert
from retrain.model import (
    Action,
    ConsideredWindow,
    PolicyState,
    QuarantinedWindow,
    RetrainDecision,
)
from retrain.rows import (
    ConsideredWindowRow,
    PolicyStateRow,
    QuarantinedWindowRow,
    RetrainDecisionRow,
)
from watchkeeper.window import Window


class Decisions:
    """The record of decisions that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, decision: RetrainDecision, key: str, *, due: bool = True) -> bool:
        """Record a decision; False when the same has been recorded under this key.

        Parameters
        ----------
        due
            For a hold: whether the policy asks for a retrain at this moment.
        """
        row = RetrainDecisionRow(
            decision_key=key,
            model=decision.model,
            version=decision.version,
            window_start=decision.window.start,
            window_end=decision.window.end,
            action=decision.action,
            reason=decision.reason,
            run_id=decision.run_id,
            decided_at=decision.decided_at,
            due_at=decision.decided_at if due else None,
        )
        try:
            with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError:
            return False
        return True

    def hold_is_open(self, model: str) -> bool:
        """Whether retraining of a model is held now."""
        return (
            self._session.scalar(self._open(model).with_only_columns(RetrainDecisionRow.id))
            is not None
        )

    def became_due(self, model: str, reason: str, at: datetime) -> bool:
        """Note that the policy asks for a retrain while it is held; False when that was known."""
        statement = (
            update(RetrainDecisionRow)
            .where(
                RetrainDecisionRow.model == model,
                RetrainDecisionRow.action == Action.HELD,
                RetrainDecisionRow.ended_at.is_(None),
                RetrainDecisionRow.due_at.is_(None),
            )
            .values(due_at=at, reason=reason)
            .execution_options(synchronize_session=False)
        )
        return cast("CursorResult[Any]", self._session.execute(statement)).rowcount == 1

    def end_hold(self, model: str, at: datetime) -> None:
        """Close the open hold of a model, if there is one."""
        self._session.execute(
            update(RetrainDecisionRow)
            .where(
                RetrainDecisionRow.model == model,
                RetrainDecisionRow.action == Action.HELD,
                RetrainDecisionRow.ended_at.is_(None),
            )
            .values(ended_at=at)
            .execution_options(synchronize_session=False)
        )

    def of(self, model: str, *, limit: int = 100) -> list[RetrainDecision]:
        """Return the newest recorded decisions of a model, newest first."""
        rows = self._session.scalars(
            select(RetrainDecisionRow)
            .where(RetrainDecisionRow.model == model)
            .order_by(RetrainDecisionRow.id.desc())
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        return [
            RetrainDecision(
                model=row.model,
                version=row.version,
                window=Window(start=row.window_start, end=row.window_end),
                action=Action(row.action),
                reason=row.reason,
                decided_at=row.decided_at,
                run_id=row.run_id,
                recorded=True,
            )
            for row in rows
        ]

    def _open(self, model: str) -> Any:
        return select(RetrainDecisionRow).where(
            RetrainDecisionRow.model == model,
            RetrainDecisionRow.action == Action.HELD,
            RetrainDecisionRow.ended_at.is_(None),
        )


class Quarantine:
    """The windows in quarantine that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, model: str, window: Window, reason: str, at: datetime) -> None:
        """Put a window into quarantine; a second reason replaces the first."""
        row = {
            "model": model,
            "window_start": window.start,
            "window_end": window.end,
            "reason": reason,
            "quarantined_at": at,
        }
        upsert(self._session, QuarantinedWindowRow, [row])

    def release(self, model: str, window: Window) -> None:
        """Take a window out, after a correction has found it whole."""
        self._session.execute(
            delete(QuarantinedWindowRow)
            .where(
                QuarantinedWindowRow.model == model,
                QuarantinedWindowRow.window_start == window.start,
                QuarantinedWindowRow.window_end == window.end,
            )
            .execution_options(synchronize_session=False)
        )

    def of(self, model: str) -> list[QuarantinedWindow]:
        """Return the windows of a model in quarantine, oldest first."""
        rows = self._session.scalars(
            select(QuarantinedWindowRow)
            .where(QuarantinedWindowRow.model == model)
            .order_by(QuarantinedWindowRow.window_start)
            .execution_options(populate_existing=True)
        )
        return [
            QuarantinedWindow(
                model=row.model,
                window=Window(start=row.window_start, end=row.window_end),
                reason=row.reason,
                quarantined_at=row.quarantined_at,
            )
            for row in rows
        ]


class PolicyMemory:
    """What the policies have seen and remember, for one session; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def consider(
        self, model: str, considered: ConsideredWindow, *, revision: int, at: datetime
    ) -> bool:
        """Store a window; False when this revision, or a later one, is stored already."""
        window = considered.window
        known = self._session.scalar(
            select(ConsideredWindowRow.revision).where(
                ConsideredWindowRow.model == model,
                ConsideredWindowRow.version == considered.version,
                ConsideredWindowRow.window_start == window.start,
                ConsideredWindowRow.window_end == window.end,
            )
        )
        if known is not None and known >= revision:
            return False
        row = {
            "model": model,
            "version": considered.version,
            "window_start": window.start,
            "window_end": window.end,
            "revision": revision,
            "labels": considered.labels,
            "loss": considered.loss,
            "standard_error": considered.standard_error,
            "drifted": considered.drifted,
            "considered_at": at,
        }
        upsert(self._session, ConsideredWindowRow, [row])
        return True

    def windows(
        self, model: str, version: int, after: datetime | None = None
    ) -> list[ConsideredWindow]:
        """Return the windows of a version that end after ``after``, oldest first."""
        wanted = select(ConsideredWindowRow).where(
            ConsideredWindowRow.model == model, ConsideredWindowRow.version == version
        )
        if after is not None:
            wanted = wanted.where(ConsideredWindowRow.window_end > after)
        rows = self._session.scalars(
            wanted.order_by(ConsideredWindowRow.window_start).execution_options(
                populate_existing=True
            )
        )
        return [_to_considered(row) for row in rows]

    def newest(self, model: str) -> Window | None:
        """Return the newest window that was considered, of whatever version."""
        row = self._session.scalars(
            select(ConsideredWindowRow)
            .where(ConsideredWindowRow.model == model)
            .order_by(ConsideredWindowRow.window_end.desc(), ConsideredWindowRow.version.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else Window(start=row.window_start, end=row.window_end)

    def state(self, model: str) -> PolicyState | None:
        """Return what the model's policy remembers; None before its first window."""
        row = self._session.get(PolicyStateRow, model, populate_existing=True)
        if row is None:
            return None
        return PolicyState(
            model=row.model,
            level=row.level,
            spent_until=row.spent_until,
            carried=row.carried,
            attempted_at=row.attempted_at,
            useless=row.useless,
            last_run=row.last_run,
        )

    def remember(self, state: PolicyState) -> None:
        """Store what the model's policy remembers."""
        row = {
            "model": state.model,
            "level": state.level,
            "spent_until": state.spent_until,
            "carried": state.carried,
            "attempted_at": state.attempted_at,
            "useless": state.useless,
            "last_run": state.last_run,
        }
        upsert(self._session, PolicyStateRow, [row])


def _to_considered(row: ConsideredWindowRow) -> ConsideredWindow:
    return ConsideredWindow(
        window=Window(start=row.window_start, end=row.window_end),
        version=row.version,
        labels=row.labels,
        loss=row.loss,
        standard_error=row.standard_error,
        drifted=row.drifted,
    )
