"""What the owner has set about retraining, and what the policy remembers of the model."""

from __future__ import annotations

from sqlalchemy.orm import Session

from retrain.excess import per_row_loss
from retrain.memory import PolicyMemory
from retrain.model import PolicyState, Terms
from retrain.split import fits_of
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.repository import ModelVersions
from watchkeeper.tolerance import Better


def terms_of(settings: ModelSettings) -> Terms | None:
    """Return what the owner has set about retraining; None when nothing."""
    retrain = settings.retrain
    if retrain is None:
        return None
    return Terms(
        policy=retrain.policy,
        metric=settings.tolerance.metric,
        cost=retrain.cost,
        cooldown=retrain.cooldown,
        minimum_labels=retrain.minimum_labels,
        fits=fits_of(retrain.window),
        zone=settings.windows.timezone,
    )


def state_of(session: Session, settings: ModelSettings) -> PolicyState:
    """Return what the policy remembers; the first time, with the first version's level.

    The level is the worst loss of a row that the owner tolerates: what the first version promised
    at its registration, and the tolerance on top. What is tolerated is no excess.
    """
    state = PolicyMemory(session).state(settings.model)
    if state is not None:
        return state
    first = ModelVersions(session).of(settings.model)[:1]
    value = first[0].metrics.get(settings.tolerance.metric) if first else None
    level = None if value is None else loss_of(settings.tolerance.limit(value), settings)
    state = PolicyState(model=settings.model, level=level)
    if first:
        PolicyMemory(session).remember(state)
    return state


def loss_of(value: float, settings: ModelSettings) -> float:
    """Return the tolerance's metric as a loss per row."""
    return per_row_loss(value, higher_is_better=settings.tolerance.better is Better.HIGHER)
