"""The loss of each row, of the kind that a metric is about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watchkeeper.schema import Task

Floats = NDArray[np.float64]

#: A logarithm is taken of nothing smaller, so that one row does not outweigh all others.
_CLIP = 1e-4
_KINDS = {
    "brier": "squared",
    "rmse": "squared",
    "r2": "squared",
    "accuracy": "error",
    "business_value": "error",
    "f1": "error",
    "precision": "error",
    "recall": "error",
    "roc_auc": "ranking",
    "average_precision": "ranking",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Labelled rows of a model.

    Parameters
    ----------
    truth, said
        Numbers; for several classes their indices.
    score
        Binary: probability of 1; several classes: of the true class; NaN where there is none.
    """

    truth: Floats
    said: Floats
    score: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """How the loss of a row is reckoned.

    Parameters
    ----------
    kind
        ``log_loss``, ``squared``, ``error``, ``ranking`` or ``absolute``.
    negatives, positives
        Sorted scores of the reference, for ``ranking``.
    """

    task: Task
    kind: str
    negatives: Floats
    positives: Floats

    def of(self, rows: Rows) -> Floats:
        """Return the loss of each row.

        A ranking loss is the share of the reference's rows of the other class on the wrong side of
        the row (its placement, DeLong et al. 1988): on the reference its mean is 1 − AUC.
        """
        if self.task is Task.REGRESSION:
            error = np.abs(rows.truth - rows.said)
            return np.asarray(error**2 if self.kind == "squared" else error)
        if self.kind == "error":
            return np.asarray(rows.truth != rows.said, dtype=np.float64)
        given = rows.score
        if self.task is Task.BINARY:
            given = np.where(rows.truth == 1, rows.score, 1 - rows.score)
        if self.kind == "ranking":
            return self._placements(rows)
        if self.kind == "squared":
            return np.asarray((1 - given) ** 2)
        return np.asarray(-np.log(np.clip(given, _CLIP, 1.0)))

    def _placements(self, rows: Rows) -> Floats:
        def above(sorted_: Floats) -> Floats:
            # Ties count half, as they do in the AUC.
            left = np.searchsorted(sorted_, rows.score, side="left")
            right = np.searchsorted(sorted_, rows.score, side="right")
            return 1 - (left + right) / 2 / max(len(sorted_), 1)

        missed = above(self.negatives), 1 - above(self.positives)
        return np.asarray(np.where(rows.truth == 1, missed[0], missed[1]))


def loss_for(metric: str, task: Task, reference: Rows) -> Loss:
    """Return the loss of the kind that a metric is about, fitted on the reference.

    Examples
    --------
    >>> rows = Rows(truth=np.array([0.0, 1, 1]), said=np.zeros(3), score=np.array([0.2, 0.1, 0.9]))
    >>> loss_for("roc_auc", Task.BINARY, rows).of(rows).tolist()
    [0.5, 1.0, 0.0]
    """
    kind = _KINDS.get(metric, "absolute" if task is Task.REGRESSION else "log_loss")
    if task is not Task.REGRESSION and np.isnan(reference.score).any():
        kind = "error"
    hit = reference.truth == 1
    return Loss(
        task=task,
        kind=kind,
        negatives=np.sort(reference.score[~hit]),
        positives=np.sort(reference.score[hit]),
    )
