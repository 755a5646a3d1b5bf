"""Outcomes from the rows themselves, for a frame that is already in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor.performance.outcomes import CLIP, SUMS, Outcomes
from monitor.performance.scores import BINS, bin_of
from watchkeeper.schema import Task

Floats = NDArray[np.float64]


def binary(y_true: ArrayLike, y_pred: ArrayLike, score: ArrayLike | None = None) -> Outcomes:
    """Count rows of a binary model.

    Parameters
    ----------
    y_true, y_pred
        0 or 1, shape ``(n,)``.
    score
        Probability of 1, in ``[0, 1]``; NaN where there is none, None when no row has one.
    """
    truth, guess = np.asarray(y_true).astype(np.int64), np.asarray(y_pred).astype(np.int64)
    counts = np.bincount(2 * truth + guess, minlength=4)
    probability = np.full(truth.size, np.nan) if score is None else np.asarray(score, np.float64)
    known = (probability >= 0) & (probability <= 1)
    truth, probability = truth[known], probability[known]
    grid = np.bincount(truth * BINS + bin_of(probability), minlength=2 * BINS)
    loss = -np.log(np.maximum(np.where(truth == 1, probability, 1 - probability), CLIP))
    brier = (probability - truth) ** 2
    sums = [truth.size, loss.sum(), (loss**2).sum(), brier.sum(), (brier**2).sum()]
    return Outcomes(
        task=Task.BINARY,
        counts=np.concatenate([counts, grid]).astype(np.int64),
        sums=np.array(sums, dtype=np.float64),
    )


def multiclass(
    y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[str], scores: ArrayLike | None = None
) -> Outcomes:
    """Count rows of a multi-class model.

    Parameters
    ----------
    y_true, y_pred
        Class names, shape ``(n,)``.
    scores
        Probabilities, shape ``(n, len(classes))`` in the order of ``classes``.
    """
    number = {name: index for index, name in enumerate(classes)}
    other = len(classes)
    truth = np.array([number.get(str(name), other) for name in np.asarray(y_true)], dtype=np.int64)
    guess = np.array([number.get(str(name), other) for name in np.asarray(y_pred)], dtype=np.int64)
    agree = truth[(truth == guess) & (truth < other)]
    counts = [np.bincount(part, minlength=other + 1) for part in (truth, guess, agree)]
    loss = np.empty(0)
    if scores is not None:
        table = np.asarray(scores, dtype=np.float64)
        scored = ~np.isnan(table).any(axis=1)
        # A class that the model does not know has none of the chance.
        chances = np.column_stack([table, np.zeros(len(table))])[scored]
        given = chances[np.arange(len(chances)), truth[scored]]
        loss = -np.log(np.clip(given, CLIP, 1.0))
    return Outcomes(
        task=Task.MULTICLASS,
        counts=np.concatenate(counts).astype(np.int64),
        sums=np.array([loss.size, loss.sum(), (loss**2).sum()], dtype=np.float64),
        classes=other,
    )


def regression(y_true: ArrayLike, y_pred: ArrayLike) -> Outcomes:
    """Count rows of a regression model; both arguments are numbers of shape ``(n,)``."""
    truth, guess = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    error = np.abs(truth - guess)
    relative = error / np.maximum(np.abs(truth), CLIP)
    values = {
        "absolute": error,
        "squared": error**2,
        "fourth": error**4,
        "relative": relative,
        "relative_squared": relative**2,
        "label": truth,
        "label_squared": truth**2,
    }
    return Outcomes(
        task=Task.REGRESSION,
        counts=np.array([truth.size], dtype=np.int64),
        sums=np.array([values[name].sum() for name in SUMS[Task.REGRESSION]]),
    )
