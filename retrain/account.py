"""What an ended run means for the policy: the excess loss is settled, or half of it stays due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from retrain.memory import PolicyMemory
from retrain.model import RetrainRun, Trigger
from retrain.policy import attempt_cost
from retrain.terms import state_of, terms_of
from watchkeeper.model_settings import ModelSettings

#: Share of the cost that stays on the account after an attempt that brought nothing.
LEFT_OVER = 0.5


def promoted(session: Session, run: RetrainRun, settings: ModelSettings, *, at: datetime) -> None:
    """Start a new account: what the old champion has cost is settled, and stays so."""
    memory = PolicyMemory(session)
    newest = memory.newest(run.model)
    memory.remember(
        replace(
            state_of(session, settings),
            spent_until=None if newest is None else newest.end,
            carried=0.0,
            useless=0,
            attempted_at=at,
            last_run=run.id,
        )
    )


def useless(
    session: Session, run: RetrainRun, settings: ModelSettings, *, champion: int, at: datetime
) -> None:
    """Charge an attempt that brought no better model; the pause before the next one grows.

    A run that a person asked for is not charged to the policy.
    """
    terms = terms_of(settings)
    if run.trigger is Trigger.MANUAL or terms is None:
        return
    memory, state = PolicyMemory(session), state_of(session, settings)
    judged = [
        considered.window.end
        for considered in memory.windows(run.model, champion, state.spent_until)
        if considered.loss is not None
    ]
    memory.remember(
        replace(
            state,
            spent_until=max(judged) if judged else state.spent_until,
            carried=LEFT_OVER * attempt_cost(terms),
            useless=state.useless + 1,
            attempted_at=at,
            last_run=run.id,
        )
    )


def not_tried(session: Session, run: RetrainRun, settings: ModelSettings, *, at: datetime) -> None:
    """Wait a cooldown after a run that ended before anything was fitted; nothing is charged."""
    if run.trigger is Trigger.MANUAL:
        return
    state = replace(state_of(session, settings), attempted_at=at, last_run=run.id)
    PolicyMemory(session).remember(state)
