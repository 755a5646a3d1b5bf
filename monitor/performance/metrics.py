"""Metrics as functions of merged outcomes: one value per cluster, NaN where undefined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.performance.outcomes import Outcomes
from monitor.performance.scores import midpoints
from watchkeeper.business_value import CostMatrix
from watchkeeper.schema import Task

Floats = NDArray[np.float64]

#: Equal-width bins of the calibration error; a divisor of the score grid.
CALIBRATION_BINS = 16


def divide(numerator: NDArray[np.generic], denominator: NDArray[np.generic]) -> Floats:
    """Divide, with NaN where the denominator is zero.

    Examples
    --------
    >>> divide(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    result: Floats = np.full(np.broadcast(top, bottom).shape, np.nan)
    np.divide(top, bottom, out=result, where=bottom != 0)
    return result


def business_value(outcomes: Outcomes, matrix: CostMatrix) -> Floats:
    """Mean value of a labelled prediction, in the unit of the cost matrix (Elkan 2001).

    Parameters
    ----------
    outcomes
        Of a binary model.

    References
    ----------
    Elkan, C. (2001). The foundations of cost-sensitive learning. Proceedings of IJCAI 2001,
    973–978.

    Examples
    --------
    Of ten predictions one is a false alarm at −5 and one a miss at −100: −105 / 10.

    >>> from monitor.performance.from_rows import binary
    >>> ten = binary([0, 0, 0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0, 1, 0, 1, 1])
    >>> matrix = CostMatrix(false_positive=-5, false_negative=-100)
    >>> business_value(ten, matrix).item()
    -10.5
    """
    return divide(outcomes.counts[..., :4] @ np.asarray(matrix.values), outcomes.rows)


def weighted_mean(outcomes: Outcomes) -> Floats:
    """Mean of what a function of the owner's says of each row, by the weights that it gives."""
    return divide(outcomes.sum_of("own_value"), outcomes.sum_of("own_weight"))


def log_loss(outcomes: Outcomes) -> Floats:
    """Mean of −ln of the probability given to the true class, clipped at machine epsilon."""
    return divide(outcomes.sum_of("log_loss"), outcomes.sum_of("scored"))


def brier(outcomes: Outcomes) -> Floats:
    """Mean squared difference of probability and label (Brier 1950)."""
    return divide(outcomes.sum_of("brier"), outcomes.sum_of("scored"))


def accuracy(outcomes: Outcomes) -> Floats:
    """Share of rows whose predicted class is the true one."""
    if outcomes.task is Task.MULTICLASS:
        return divide(outcomes.by_class(2).sum(axis=-1), outcomes.rows)
    return divide(outcomes.counts[..., 0] + outcomes.counts[..., 3], outcomes.rows)


def precision(outcomes: Outcomes) -> Floats:
    """Share of predicted positives that are positive; NaN when nothing was predicted positive."""
    positives = outcomes.counts[..., 3]
    return divide(positives, positives + outcomes.counts[..., 1])


def recall(outcomes: Outcomes) -> Floats:
    """Share of positives that were predicted positive; NaN when there are none."""
    positives = outcomes.counts[..., 3]
    return divide(positives, positives + outcomes.counts[..., 2])


def f1(outcomes: Outcomes) -> Floats:
    """Harmonic mean of precision and recall; for several classes the unweighted mean over them.

    A class that is neither predicted nor true in the rows does not take part in the mean.
    """
    if outcomes.task is Task.BINARY:
        twice = 2 * outcomes.counts[..., 3]
        return divide(twice, twice + outcomes.counts[..., 1] + outcomes.counts[..., 2])
    agree = outcomes.by_class(2)[..., :-1]
    either = (outcomes.by_class(0) + outcomes.by_class(1))[..., :-1]
    each = divide(2 * agree, either)
    present = ~np.isnan(each)
    return divide(np.where(present, each, 0.0).sum(axis=-1), present.sum(axis=-1))


def roc_auc(outcomes: Outcomes) -> Floats:
    """Probability that a positive scores above a negative, ties half.

    Scores are counted in fixed bins, so pairs within one bin count as ties: the value is within
    ``tie_bound`` of the value from the rows.
    """
    negatives, positives = outcomes.scored()
    below = np.cumsum(negatives, axis=-1) - negatives
    won = (positives * (below + negatives / 2)).sum(axis=-1)
    return divide(won, negatives.sum(axis=-1) * positives.sum(axis=-1))


def tie_bound(outcomes: Outcomes) -> Floats:
    """Return how far the binned ROC AUC can be from the one of the rows: half its tied pairs."""
    negatives, positives = outcomes.scored()
    tied = (negatives * positives).sum(axis=-1) / 2
    return divide(tied, negatives.sum(axis=-1) * positives.sum(axis=-1))


def average_precision(outcomes: Outcomes) -> Floats:
    """Mean precision over the recall gained at each score bin, from the highest score down."""
    negatives, positives = (part[..., ::-1] for part in outcomes.scored())
    hits, taken = np.cumsum(positives, axis=-1), np.cumsum(negatives + positives, axis=-1)
    gained = np.where(positives > 0, positives * hits / np.maximum(taken, 1), 0.0)
    return divide(gained.sum(axis=-1), positives.sum(axis=-1))


def calibration_error(outcomes: Outcomes) -> Floats:
    """Mean distance of score and share of positives over 16 equal-width bins, weighted by rows.

    The expected calibration error of Naeini, Cooper & Hauskrecht (2015). A score counts as the
    middle of its fine bin, so the value is within 1/2048 of that from the rows. It is biased
    upwards when bins hold few rows.
    """
    negatives, positives = outcomes.scored()
    middle = midpoints()
    group = np.minimum((middle * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    starts = np.searchsorted(group, np.arange(CALIBRATION_BINS))
    rows = negatives + positives
    gap = np.add.reduceat(positives - rows * middle, starts, axis=-1)
    return divide(np.abs(gap).sum(axis=-1), rows.sum(axis=-1))


def mean_absolute_error(outcomes: Outcomes) -> Floats:
    """Mean of |label − prediction|."""
    return divide(outcomes.sum_of("absolute"), outcomes.rows)


def root_mean_squared_error(outcomes: Outcomes) -> Floats:
    """Root of the mean of (label − prediction)²."""
    return np.sqrt(divide(outcomes.sum_of("squared"), outcomes.rows))


def mean_absolute_percentage_error(outcomes: Outcomes) -> Floats:
    """Mean of |label − prediction| / |label|, as a share; huge when labels are near zero."""
    return divide(outcomes.sum_of("relative"), outcomes.rows)


def r_squared(outcomes: Outcomes) -> Floats:
    """Share of the labels' variance that the predictions explain; NaN for constant labels."""
    rows = np.maximum(outcomes.rows, 1)
    spread = outcomes.sum_of("label_squared") - outcomes.sum_of("label") ** 2 / rows
    # Constant labels leave a rounding error instead of zero.
    tiny = spread <= 1e-12 * outcomes.sum_of("label_squared")
    unexplained = divide(outcomes.sum_of("squared"), np.where(tiny, 0.0, spread))
    return 1 - unexplained
