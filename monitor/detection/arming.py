"""From a model's settings and the past of its reference to the detector that watches it."""

from __future__ import annotations

from monitor.detection.detector import Detector
from monitor.detection.fitting import SHORTEST_RUN, History, fit_detector, learn_history
from monitor.detection.past import Past
from watchkeeper.business_value import BUSINESS_VALUE
from watchkeeper.model_settings import ModelSettings
from watchkeeper.own_metrics import OwnMetrics
from watchkeeper.window import DAY


def run_of(settings: ModelSettings) -> float:
    """Return how many quiet windows the alarm budget asks for between two pages.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from watchkeeper.model_rules import AlarmBudget
    >>> AlarmBudget(pages=1, per="quarter").period // timedelta(days=1)
    90
    """
    budget = settings.alarm_budget
    return budget.period / settings.windows.lasts / budget.share


def common_run_of(settings: ModelSettings) -> float:
    """Return how many quiet windows are to lie between two pages about a fleet as a whole."""
    budget = settings.alarm_budget
    return max(budget.period / settings.windows.lasts / budget.common_share, SHORTEST_RUN)


def fleet_run_of(settings: ModelSettings) -> float:
    """Return how many quiet windows are to lie between two tickets about models that fall behind.

    No more of them are allowed than pages of the whole fleet.
    """
    budget = settings.alarm_budget
    return max(budget.period / settings.windows.lasts / budget.pages, SHORTEST_RUN)


def threshold_of(settings: ModelSettings) -> float:
    """Return the evidence at which a detector alarms."""
    return max(run_of(settings), SHORTEST_RUN)


def key_of(settings: ModelSettings) -> str:
    """Return what a detector was fitted for; with another key it is fitted anew.

    How many models share a budget is no part of it: when one more is watched, what the others
    have gathered still counts, and only their thresholds are others.
    """
    windows, budget = settings.windows, settings.alarm_budget
    said = (
        settings.tolerance.metric,
        settings.tolerance.change,
        # How long so many rows last is known from the reference.
        windows.rows or windows.size,
        windows.timezone.key,
    )
    own = _own_of(settings)
    valued: tuple[float | str, ...] = () if own.value is None else own.value.values
    if own.function is not None:
        valued = (str(settings.tolerance.better),)
    return "|".join(str(part) for part in (*said, budget.pages, budget.per, *valued))


def history_of(past: Past, settings: ModelSettings) -> History:
    """Return the losses of the metric that decides, by unit of time."""
    return learn_history(
        past.units,
        metric=settings.tolerance.metric,
        per_window=max(1, round(settings.windows.size / past.length)),
        per_day=max(1, round(DAY / past.length)),
        own=_own_of(settings),
    )


def arm(history: History, settings: ModelSettings, level: float | None) -> Detector | None:
    """Return the detector for a model's settings; None when its reference allows none.

    Parameters
    ----------
    level
        The metric that decides, on the reference; None where it has none.
    """
    if level is None:
        return None
    return fit_detector(
        history,
        metric=settings.tolerance.metric,
        task=settings.task,
        tolerance=settings.tolerance,
        level=level,
        run=run_of(settings),
        own=_own_of(settings),
    )


def _own_of(settings: ModelSettings) -> OwnMetrics:
    """Return what decides of the owner's own; another metric is not fitted anew for it."""
    decides = settings.tolerance.metric == BUSINESS_VALUE
    return OwnMetrics(
        value=settings.value if decides else None, function=settings.tolerance.function
    )
