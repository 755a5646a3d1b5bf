"""When to retrain: one pure function per policy and one line for it in the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from retrain.excess import accumulate
from retrain.model import Action, Judgement, Situation, Terms
from watchkeeper.window import format_duration, parse_duration

Policy = Callable[[Situation, str], Judgement]

#: What each further fit of a window search adds to the cost of an attempt: the data, the
#: validation and the risk are those of one attempt, the computing is repeated.
FURTHER_FIT = 0.1
#: Longest pause between attempts that brought nothing, in cooldowns.
LONGEST_PAUSE = 8


def judge(situation: Situation) -> Judgement:
    """Apply the model's policy, then the rules that hold for every policy.

    A policy says whether a retrain is due. It is not due before ``minimum_labels`` mature labels
    and not within the cooldown. After an attempt that brought no better model the pause doubles
    with each further one, up to eight cooldowns; when the ordinary cooldown is over and the cause
    still stands, the judgement is to escalate: a person should look.

    Examples
    --------
    >>> from datetime import UTC
    >>> from retrain.model import PolicyState
    >>> terms = Terms(policy="schedule:30d", metric="log_loss", cost=150,
    ...     cooldown=timedelta(days=7), minimum_labels=0)
    >>> june, july = datetime(2013, 6, 1, tzinfo=UTC), datetime(2013, 7, 2, tzinfo=UTC)
    >>> judge(Situation(terms=terms, state=PolicyState(model="flights"), windows=(),
    ...     trained_at=june, now=july)).reason
    'last trained 31 days ago, the schedule is every 30d'
    """
    name, _, argument = situation.terms.policy.partition(":")
    judgement = POLICIES[name](situation, argument)
    if judgement.action is not Action.QUEUED:
        return judgement
    labels = sum(considered.labels for considered in situation.windows)
    if labels < situation.terms.minimum_labels:
        return _wait(
            f"{judgement.reason}; waiting for mature labels: "
            f"{labels} of {situation.terms.minimum_labels}"
        )
    return _pause(situation, judgement)


def attempt_cost(terms: Terms) -> float:
    """Return what one attempt costs with the search it makes.

    Examples
    --------
    >>> attempt_cost(Terms(policy="excess_loss", metric="log_loss", cost=150,
    ...     cooldown=timedelta(days=7), minimum_labels=0, fits=3))
    180.0
    """
    return terms.cost * (1 + FURTHER_FIT * (terms.fits - 1))


def never(_situation: Situation, _argument: str) -> Judgement:
    """Retrain only when a person asks for it."""
    return _wait("the policy is never to retrain by itself")


def schedule(situation: Situation, argument: str) -> Judgement:
    """Retrain when the champion, or the last attempt, is older than ``argument``, such as 30d."""
    every = parse_duration(argument)
    last = max(situation.trained_at, situation.state.attempted_at or situation.trained_at)
    age = situation.now - last
    reason = f"last trained {age.days} days ago, the schedule is every {format_duration(every)}"
    return _due(reason) if age >= every else _wait(reason)


def drift(situation: Situation, _argument: str) -> Judgement:
    """Retrain when the newest window has drifted critically.

    Kept for comparison: drift alone says little about harm, and concept change does not show in it.
    """
    if situation.windows and situation.windows[-1].drifted:
        return _due(
            f"the window of {_day(situation.windows[-1].window.start, situation)} has drifted"
        )
    return _wait("the newest window has not drifted")


def excess_loss(situation: Situation, _argument: str) -> Judgement:
    """Retrain when the loss beyond what is tolerated has added up to more than a retrain costs.

    The idea of weighing the cost of staleness against that of retraining is from Mahadevan and
    Mathioudakis, "Cost-aware retraining for machine learning", Knowledge-Based Systems 293
    (2024). Here the tolerated level is fixed, noise is forgiven, and only mature windows out of
    quarantine count.
    """
    state, terms = situation.state, situation.terms
    if state.level is None:
        return _wait(f"the first version has no reference level of {terms.metric}")
    excess = accumulate(situation.windows, level=state.level, carried=state.carried)
    cost = attempt_cost(terms)
    since = "" if excess.since is None else f" since {_day(excess.since, situation)}"
    reason = f"{_number(excess.amount)} excess {unit(terms.metric)}{since}, cost {_number(cost)}"
    return _due(reason) if excess.amount > cost else _wait(reason)


def unit(metric: str) -> str:
    """Return what the summed loss of a metric is counted in.

    Examples
    --------
    >>> unit("log_loss"), unit("accuracy"), unit("roc_auc")
    ('log-loss units', 'errors', '1 − ROC AUC units')
    """
    return _UNITS.get(metric, f"{metric.replace('_', ' ')} units")


def _pause(situation: Situation, judgement: Judgement) -> Judgement:
    state, cooldown = situation.state, situation.terms.cooldown
    if state.attempted_at is None or cooldown <= timedelta(0):
        return judgement
    allowed = state.attempted_at + cooldown
    again = state.attempted_at + cooldown * min(2**state.useless, LONGEST_PAUSE)
    if situation.now < allowed:
        return _wait(f"{judgement.reason}; cooling down until {_day(allowed, situation)}")
    if situation.now < again:
        useless, day = _useless(state.useless), _day(again, situation)
        reason = f"escalate: {judgement.reason}, but {useless} (last: run {state.last_run})"
        return Judgement(
            action=Action.ESCALATED,
            reason=f"{reason}; a person should look, next attempt from {day}",
        )
    return judgement


def _useless(count: int) -> str:
    return "the last retrain did not help" if count == 1 else f"{count} retrains did not help"


def _due(reason: str) -> Judgement:
    return Judgement(action=Action.QUEUED, reason=reason)


def _wait(reason: str) -> Judgement:
    return Judgement(action=Action.NOT_DUE, reason=reason)


def _day(instant: datetime, situation: Situation) -> str:
    local = instant.astimezone(situation.terms.zone)
    return f"{local.day} {local:%B}"


def _number(amount: float) -> str:
    if not math.isfinite(amount):
        return str(amount)
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:.2g}"


POLICIES: Mapping[str, Policy] = {
    "never": never,
    "schedule": schedule,
    "drift": drift,
    "excess_loss": excess_loss,
}

_UNITS = {
    "log_loss": "log-loss units",
    "brier": "Brier units",
    "accuracy": "errors",
    "roc_auc": "1 − ROC AUC units",
    "mae": "units of absolute error",
    "business_value": "units of business value",
}
