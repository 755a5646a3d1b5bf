"""The judgement of a challenger: both models on the same rows, with an interval, in three words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from watchkeeper.business_value import BUSINESS_VALUE, CostMatrix
from watchkeeper.schema import Task

Array = npt.NDArray[Any]

#: A challenger that has learned nothing is promoted at most this often.
ERROR_RATE = 0.05
#: With fewer days than this, nothing is known of how much days differ.
MINIMUM_DAYS = 4
#: Probabilities are kept this far from 0 and 1, so that one row cannot decide everything.
_CLIP = 1e-6
#: The loss of a row that stands for the business value: what it falls short of the best outcome.
SHORTFALL = "shortfall"
_SQUARED = ("mse", "rmse", "r2")
_HARD = ("accuracy", "f1", "precision", "recall", "error_rate")


class Verdict(StrEnum):
    """What the comparison says."""

    PROMOTE = "promote"
    KEEP = "keep"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """A challenger against the champion on the same rows.

    Parameters
    ----------
    metric
        Name of the per-row loss.
    champion, challenger
        Mean loss of a row.
    difference, lower, upper
        ``champion - challenger`` (positive: the challenger is better) with its interval; None
        where there are too few days for one.
    rows, days
        What it rests on.
    """

    metric: str
    champion: float
    challenger: float
    difference: float
    lower: float | None
    upper: float | None
    rows: int
    days: int
    verdict: Verdict
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as plain JSON types."""
        return {
            "metric": self.metric,
            "champion": self.champion,
            "challenger": self.challenger,
            "difference": self.difference,
            "lower": self.lower,
            "upper": self.upper,
            "rows": self.rows,
            "days": self.days,
            "verdict": str(self.verdict),
            "reason": self.reason,
        }


def loss_name(task: Task, metric: str, *, probabilities: bool) -> str:
    """Return the per-row loss that stands for a metric in the comparison of two models.

    Ranking metrics have no loss of a single row; the log loss, which a better ranking with the
    same calibration lowers, stands for them.

    Examples
    --------
    >>> loss_name(Task.BINARY, "roc_auc", probabilities=True)
    'log_loss'
    >>> loss_name(Task.REGRESSION, "rmse", probabilities=False)
    'squared_error'
    """
    if metric == BUSINESS_VALUE:
        return SHORTFALL
    if task is Task.REGRESSION:
        return "squared_error" if metric in _SQUARED else "absolute_error"
    if metric in _HARD or not probabilities:
        return "error"
    return "brier" if metric == "brier" else "log_loss"


def row_losses(name: str, y_true: Array, y_pred: Array, proba: Array | None = None) -> Array:
    """Return the loss of every row, shape ``(n,)``, lower is better.

    Parameters
    ----------
    name
        From ``loss_name``.
    y_true
        Shape ``(n,)``: regression values, labels comparable with ``y_pred``, or, with ``proba``,
        the index of the true class (binary: 0 or 1).
    y_pred
        Shape ``(n,)``; used where no probabilities are.
    proba
        Shape ``(n,)``, the probability of class 1, or ``(n, classes)``.

    Examples
    --------
    >>> row_losses("log_loss", np.array([1, 0]), np.array([1, 0]), np.array([0.5, 0.5])).round(4)
    array([0.6931, 0.6931])
    >>> row_losses("absolute_error", np.array([1.0, 2.0]), np.array([1.5, 2.0]))
    array([0.5, 0. ])
    """
    losses: Array
    if name in {"absolute_error", "squared_error"}:
        error = y_true.astype(float) - y_pred.astype(float)
        losses = np.abs(error) if name == "absolute_error" else np.square(error)
    elif name == "error" or proba is None:
        losses = (y_true != y_pred).astype(float)
    elif name == "brier":
        losses = _brier(y_true.astype(int), proba)
    else:
        table = proba if proba.ndim == 2 else np.column_stack([1 - proba, proba])
        of_truth = table[np.arange(len(y_true)), y_true.astype(int)]
        losses = -np.log(np.clip(of_truth, _CLIP, 1 - _CLIP))
    return losses


def shortfalls(y_true: Array, y_pred: Array, matrix: CostMatrix) -> Array:
    """Return how far each row's value is from that of the best outcome, shape ``(n,)``.

    Parameters
    ----------
    y_true, y_pred
        Shape ``(n,)``, 0 or 1.

    Examples
    --------
    >>> matrix = CostMatrix(true_positive=20, false_positive=-5, false_negative=-100)
    >>> shortfalls(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0]), matrix).tolist()
    [0.0, 120.0, 25.0, 20.0]
    """
    outcome = 2 * y_true.astype(int) + y_pred.astype(int)
    return np.asarray(matrix.best - np.asarray(matrix.values)[outcome])


def linearised(value: Array, weight: Array) -> tuple[float, Array]:
    """Return ``sum(value) / sum(weight)``, and a number per row with this mean.

    The numbers vary as the ratio does when rows are drawn anew (its linearisation, the delta
    method), so that two models' ratios are compared as two means are.

    Parameters
    ----------
    value, weight
        Shape ``(n,)``; both NaN for rows that have none.

    Returns
    -------
    tuple of float and numpy.ndarray
        NaN where no row has any weight.

    Examples
    --------
    >>> linearised(np.array([1.0, 5.0]), np.array([1.0, 1.0]))
    (3.0, array([1., 5.]))
    >>> linearised(np.array([1.0, 5.0, np.nan]), np.array([1.0, 2.0, np.nan]))
    (2.0, array([1., 3., 2.]))
    """
    value, weight = np.nan_to_num(value), np.nan_to_num(weight)
    total = float(weight.sum())
    ratio = float(value.sum()) / total if total > 0 else math.nan
    return ratio, ratio + (value - ratio * weight) * (len(value) / total if total > 0 else math.nan)


def _brier(truth: Array, proba: Array) -> Array:
    losses: Array
    if proba.ndim == 1:
        losses = np.square(proba - truth)
    else:
        losses = np.square(proba - np.eye(proba.shape[1])[truth]).sum(axis=1)
    return losses


def guard(
    evaluation: Evaluation, *, metric: str, champion: float, challenger: float, higher: bool
) -> Evaluation:
    """Return the evaluation without a promotion that would worsen the metric of the tolerance.

    A better log loss may come from calibration alone; where the owner asked for a ranking, the
    challenger must not rank worse on the same rows.

    Parameters
    ----------
    champion, challenger
        The metric of either on the same rows.
    higher
        Whether higher is better.
    """
    worse = challenger < champion if higher else challenger > champion
    if evaluation.verdict is not Verdict.PROMOTE or not worse:
        return evaluation
    found = f"{metric.replace('_', ' ')} is worse: {challenger:.4f} against {champion:.4f}"
    reason = f"{evaluation.reason}, but its {found}"
    return replace(evaluation, verdict=Verdict.INCONCLUSIVE, reason=reason)


def compare(champion: Array, challenger: Array, days: Array, *, metric: str) -> Evaluation:
    """Compare two models by their losses on the same rows.

    The interval is Student's t with the days as clusters: rows of one day share its weather and
    its events, so that days, not rows, are what is independent. Each bound has a one-sided error
    rate of 5 %. The standard error is the delete-one-day jackknife's, ``sqrt((G - 1) / G *
    sum((mean without day g - mean) ** 2))`` over G days with G - 1 degrees of freedom, which one
    day with most of the rows cannot deceive.

    Parameters
    ----------
    champion, challenger
        Loss per row, shape ``(n,)``, lower is better.
    days
        Any value per row, shape ``(n,)``, equal for rows of the same day.

    Returns
    -------
    Evaluation
        ``promote`` when the whole interval is above 0, ``keep`` when it is below, else
        ``inconclusive``; that also under 4 days.

    Raises
    ------
    ValueError
        The arrays differ in length, are empty, or hold a loss that is not finite.

    Examples
    --------
    The challenger is 0.2 better on every row of four days but one, where it is 0.4 better:

    >>> champion = np.array([0.6, 0.6, 0.6, 0.8])
    >>> result = compare(champion, np.full(4, 0.4), np.arange(4), metric="log_loss")
    >>> round(result.difference, 3), round(result.lower, 3), str(result.verdict)
    (0.25, 0.132, 'promote')
    """
    if not len(champion) == len(challenger) == len(days) or not len(champion):
        raise ValueError(
            f"expected equal, positive numbers of losses and days, "
            f"got {len(champion)}, {len(challenger)} and {len(days)}"
        )
    gain = np.asarray(champion, dtype=float) - np.asarray(challenger, dtype=float)
    if not np.isfinite(gain).all():
        raise ValueError("a loss is not finite")
    difference = float(gain.mean())
    clusters = len(np.unique(days))
    lower, upper = _interval(gain, days) if clusters >= MINIMUM_DAYS else (None, None)
    verdict, reason = _judge(difference, lower, upper, clusters, metric)
    return Evaluation(
        metric=metric,
        champion=float(np.mean(champion)),
        challenger=float(np.mean(challenger)),
        difference=difference,
        lower=lower,
        upper=upper,
        rows=len(gain),
        days=clusters,
        verdict=verdict,
        reason=reason,
    )


def clearly_better(champion: Array, challenger: Array, days: Array) -> bool:
    """Whether the challenger's mean loss is lower by more than one standard error over days.

    The rule by which a search leaves the longest past for a shorter one: the newest days alone
    would choose by their weather. (The one-standard-error rule of Breiman, Friedman, Olshen and
    Stone, "Classification and regression trees", 1984, for choosing the size of a tree.)

    Examples
    --------
    >>> clearly_better(np.array([1.0, 0.0, 1.0]), np.array([0.0, 0.9, 0.0]), np.arange(3))
    False
    """
    gain = np.asarray(champion, dtype=float) - np.asarray(challenger, dtype=float)
    return bool(len(np.unique(days)) > 1 and gain.mean() > _standard_error(gain, days))


def _interval(gain: Array, days: Array) -> tuple[float, float]:
    freedom, mean = len(np.unique(days)) - 1, float(gain.mean())
    reach = float(stats.t.ppf(1 - ERROR_RATE, freedom)) * _standard_error(gain, days)
    return mean - reach, mean + reach


def _standard_error(gain: Array, days: Array) -> float:
    _, day = np.unique(days, return_inverse=True)
    rows, sums = np.bincount(day), np.bincount(day, weights=gain)
    clusters = len(rows)
    without = (sums.sum() - sums) / (rows.sum() - rows)
    return math.sqrt((clusters - 1) / clusters * float(np.square(without - gain.mean()).sum()))


def _judge(
    difference: float, lower: float | None, upper: float | None, days: int, metric: str
) -> tuple[Verdict, str]:
    loss = metric.replace("_", " ")
    if lower is None or upper is None:
        return (
            Verdict.INCONCLUSIVE,
            f"{days} days of mature labels, expected at least {MINIMUM_DAYS}",
        )
    found = (
        f"{loss} {abs(difference):.4f} {'lower' if difference >= 0 else 'higher'} over {days} days"
    )
    interval = f"interval {lower:.4f} to {upper:.4f}"
    if lower > 0:
        return Verdict.PROMOTE, f"the challenger is better: {found} ({interval})"
    if upper < 0:
        return Verdict.KEEP, f"the champion is better: the challenger's {found} ({interval})"
    return Verdict.INCONCLUSIVE, f"no clear winner: the challenger's {found} ({interval})"
