"""What labelled predictions leave behind: the counts and sums that every metric is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from monitor.performance.scores import BINS
from watchkeeper.schema import Task

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Probabilities are clipped to this distance from 0 and 1 before a logarithm is taken.
CLIP = float(np.finfo(np.float64).eps)

#: Names of the sums of each task, in order.
SUMS: dict[Task, tuple[str, ...]] = {
    Task.BINARY: ("scored", "log_loss", "log_loss_squared", "brier", "brier_squared"),
    Task.MULTICLASS: ("scored", "log_loss", "log_loss_squared"),
    Task.REGRESSION: (
        "absolute",
        "squared",
        "fourth",
        "relative",
        "relative_squared",
        "label",
        "label_squared",
    ),
}

#: Sums of what a function of the owner's says of each row, after those of the task: a value and
#: the weight that it has, their squares and their product.
OWN_SUMS = (
    "own_value",
    "own_weight",
    "own_value_squared",
    "own_product",
    "own_weight_squared",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """Counts and sums over labelled rows; the leading axes of the arrays are clusters.

    Two disjoint sets of rows are merged by adding their arrays, so a window is the sum of its
    tiles and a tile is left out by subtracting it.

    Parameters
    ----------
    task
        Decides what the arrays hold.
    counts
        Shape ``(..., n_counts)``. Binary: true negatives, false positives, false negatives, true
        positives, then the negatives and the positives in each of the score bins. Multi-class:
        rows by true class, by predicted class, and rows where both agree, each over the classes
        and one more for values that are none of them. Regression: rows.
    sums
        Shape ``(..., n_sums)``, in the order of ``SUMS``; where the owner has a function for a
        metric, then ``OWN_SUMS``.
    classes
        Number of known classes; multi-class only.
    """

    task: Task
    counts: Integers
    sums: Floats
    classes: int = 0

    @classmethod
    def empty(cls, task: Task, classes: int = 0, *, own: bool = False) -> Self:
        """Return the outcomes of no rows."""
        counts = np.zeros(n_counts(task, classes), dtype=np.int64)
        return cls(task=task, counts=counts, sums=np.zeros(n_sums(task, own=own)), classes=classes)

    @classmethod
    def stack(cls, clusters: Sequence[Outcomes]) -> Self:
        """Put clusters side by side, on a new first axis; at least one."""
        first = clusters[0]
        return cls(
            task=first.task,
            counts=np.stack([cluster.counts for cluster in clusters]),
            sums=np.stack([cluster.sums for cluster in clusters]),
            classes=first.classes,
        )

    @property
    def rows(self) -> Integers:
        """Labelled rows of each cluster."""
        if self.task is Task.BINARY:
            return np.asarray(self.counts[..., :4].sum(axis=-1))
        if self.task is Task.MULTICLASS:
            return np.asarray(self.by_class(0).sum(axis=-1))
        return np.asarray(self.counts[..., 0])

    def sum_of(self, name: str) -> Floats:
        """Return one of the sums by its name; zeros for one that was not counted."""
        place = (*SUMS[self.task], *OWN_SUMS).index(name)
        if place >= self.sums.shape[-1]:
            return np.zeros(self.sums.shape[:-1])
        return np.asarray(self.sums[..., place])

    def by_class(self, part: int) -> Integers:
        """Return rows by class: of truth (0), of prediction (1), or where both agree (2)."""
        width = self.classes + 1
        return np.asarray(self.counts[..., part * width : (part + 1) * width])

    def scored(self) -> tuple[Integers, Integers]:
        """Return the negatives and positives in each score bin, each ``(..., BINS)``."""
        return self.counts[..., 4 : 4 + BINS], self.counts[..., 4 + BINS :]

    def total(self) -> Self:
        """Return the sum over all clusters."""
        return replace(self, counts=self.counts.sum(axis=0), sums=self.sums.sum(axis=0))

    def without_each(self) -> Self:
        """Return, for every cluster, the sum over all the others."""
        total = self.total()
        return replace(self, counts=total.counts - self.counts, sums=total.sums - self.sums)


def n_counts(task: Task, classes: int = 0) -> int:
    """Return how many counts the outcomes of a task hold.

    Examples
    --------
    >>> n_counts(Task.MULTICLASS, 3)
    12
    """
    if task is Task.BINARY:
        return 4 + 2 * BINS
    return 3 * (classes + 1) if task is Task.MULTICLASS else 1


def n_sums(task: Task, *, own: bool) -> int:
    """Return how many sums the outcomes of a task hold.

    Parameters
    ----------
    own
        Whether the owner has a function for a metric.

    Examples
    --------
    >>> n_sums(Task.BINARY, own=True)
    10
    """
    return len(SUMS[task]) + (len(OWN_SUMS) if own else 0)
