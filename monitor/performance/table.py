"""The table of performance metrics: what each is called, when it applies, and which way is good."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from monitor.performance import metrics
from monitor.performance.outcomes import Outcomes
from watchkeeper.business_value import BUSINESS_VALUE, CostMatrix
from watchkeeper.metric_function import MetricFunction
from watchkeeper.own_metrics import NONE, OwnMetrics
from watchkeeper.schema import Task

_BINARY = frozenset({Task.BINARY})
_CLASSES = frozenset({Task.BINARY, Task.MULTICLASS})
_REGRESSION = frozenset({Task.REGRESSION})


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanOf:
    """What the mean of a per-row loss is made from, by the names of the sums.

    Parameters
    ----------
    loss, squared
        Sum of the loss, and of its square.
    rows
        The sum that counts the rows, or weighs them; None for all labelled rows.
    product, rows_squared
        Sums of the product of loss and weight, and of the weight's square; None where rows are
        counted.
    """

    loss: str
    squared: str
    rows: str | None = None
    product: str | None = None
    rows_squared: str | None = None

    def rows_of(self, outcomes: Outcomes) -> NDArray[np.float64]:
        """Return the number of rows that the mean is taken over."""
        if self.rows is None:
            return outcomes.rows.astype(np.float64)
        return outcomes.sum_of(self.rows)

    def spread_of(self, outcomes: Outcomes, value: float) -> float:
        """Return the sum of the squares of what the loss of each row is from its expectation."""
        squared = float(outcomes.sum_of(self.squared))
        if self.product is None or self.rows_squared is None:
            return squared - value**2 * float(self.rows_of(outcomes))
        product = float(outcomes.sum_of(self.product))
        return squared - 2 * value * product + value**2 * float(outcomes.sum_of(self.rows_squared))


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One performance metric.

    Parameters
    ----------
    name
        As in ``tolerance.metric``.
    tasks
        The tasks for which it is defined.
    higher_is_better
        Whether a drop is harm; otherwise a rise is.
    value
        From outcomes to one value per cluster, NaN where undefined.
    mean_of
        The sums behind it, for the mean of a per-row loss; its interval is that of a ratio.
    bounds
        Least and greatest possible value; intervals end there.
    binning
        How far the value can be from that of the rows because scores are counted in bins; None
        where it is exact.
    """

    name: str
    tasks: frozenset[Task]
    higher_is_better: bool
    value: Callable[[Outcomes], NDArray[np.float64]]
    mean_of: MeanOf | None = None
    bounds: tuple[float, float] = (0.0, 1.0)
    binning: Callable[[Outcomes], NDArray[np.float64]] | None = None


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="log_loss",
            bounds=(0.0, math.inf),
            tasks=_CLASSES,
            higher_is_better=False,
            value=metrics.log_loss,
            mean_of=MeanOf(loss="log_loss", squared="log_loss_squared", rows="scored"),
        ),
        Metric(
            name="brier",
            tasks=_BINARY,
            higher_is_better=False,
            value=metrics.brier,
            mean_of=MeanOf(loss="brier", squared="brier_squared", rows="scored"),
        ),
        Metric(
            name="roc_auc",
            tasks=_BINARY,
            higher_is_better=True,
            value=metrics.roc_auc,
            binning=metrics.tie_bound,
        ),
        Metric(
            name="average_precision",
            tasks=_BINARY,
            higher_is_better=True,
            value=metrics.average_precision,
        ),
        Metric(name="accuracy", tasks=_CLASSES, higher_is_better=True, value=metrics.accuracy),
        Metric(name="f1", tasks=_CLASSES, higher_is_better=True, value=metrics.f1),
        Metric(name="precision", tasks=_BINARY, higher_is_better=True, value=metrics.precision),
        Metric(name="recall", tasks=_BINARY, higher_is_better=True, value=metrics.recall),
        Metric(
            name="calibration_error",
            tasks=_BINARY,
            higher_is_better=False,
            value=metrics.calibration_error,
        ),
        Metric(
            name="mae",
            bounds=(0.0, math.inf),
            tasks=_REGRESSION,
            higher_is_better=False,
            value=metrics.mean_absolute_error,
            mean_of=MeanOf(loss="absolute", squared="squared"),
        ),
        Metric(
            name="rmse",
            bounds=(0.0, math.inf),
            tasks=_REGRESSION,
            higher_is_better=False,
            value=metrics.root_mean_squared_error,
        ),
        Metric(
            name="mape",
            bounds=(0.0, math.inf),
            tasks=_REGRESSION,
            higher_is_better=False,
            value=metrics.mean_absolute_percentage_error,
            mean_of=MeanOf(loss="relative", squared="relative_squared"),
        ),
        Metric(
            name="r2",
            bounds=(-math.inf, 1.0),
            tasks=_REGRESSION,
            higher_is_better=True,
            value=metrics.r_squared,
        ),
    )
}


def metrics_of(task: Task, own: OwnMetrics = NONE) -> list[Metric]:
    """Return the metrics that a task has, in the order of the table, then the owner's own.

    Examples
    --------
    >>> [metric.name for metric in metrics_of(Task.REGRESSION)]
    ['mae', 'rmse', 'mape', 'r2']
    """
    found = [metric for metric in METRICS.values() if task in metric.tasks]
    if own.value is not None:
        found.append(_of_matrix(own.value))
    if own.function is not None:
        found.append(_of_function(own.function))
    return found


def metric_of(name: str, own: OwnMetrics = NONE) -> Metric:
    """Return a metric by its name; what the owner's own are made from is in ``own``.

    Examples
    --------
    >>> matrix = CostMatrix(true_positive=20, false_negative=-100)
    >>> metric_of("business_value", OwnMetrics(value=matrix)).bounds
    (-100.0, 20.0)
    """
    if name == BUSINESS_VALUE and own.value is not None:
        return _of_matrix(own.value)
    if own.function is not None and own.function.metric == name:
        return _of_function(own.function)
    return METRICS[name]


def _of_matrix(value: CostMatrix) -> Metric:
    return Metric(
        name=BUSINESS_VALUE,
        bounds=(value.worst, value.best),
        tasks=_BINARY,
        higher_is_better=True,
        value=partial(metrics.business_value, matrix=value),
    )


def _of_function(function: MetricFunction) -> Metric:
    return Metric(
        name=function.metric,
        bounds=(-math.inf, math.inf),
        tasks=frozenset(Task),
        higher_is_better=function.higher_is_better,
        value=metrics.weighted_mean,
        mean_of=MeanOf(
            loss="own_value",
            squared="own_value_squared",
            rows="own_weight",
            product="own_product",
            rows_squared="own_weight_squared",
        ),
    )
