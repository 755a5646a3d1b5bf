"""The estimator of one reference, whatever the task: what it expects of a window's profile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from monitor.estimation.binary import BinaryEstimator
from monitor.estimation.model import Estimate, Expectation
from monitor.estimation.multiclass import ClassEstimator
from monitor.estimation.regression import LossEstimator
from monitor.performance.table import METRICS
from monitor.profiles.model import Profile
from watchkeeper.schema import Task

Kind = BinaryEstimator | ClassEstimator | LossEstimator

#: With fewer windows in the reference it is unknown how much real windows vary.
MINIMUM_WINDOWS = 8
#: A window of the reference teaches this only when nearly all of its rows have a label.
_LABELLED = 0.9
_READERS: Mapping[Task, Callable[[Mapping[str, Any]], Kind]] = {
    Task.BINARY: BinaryEstimator.from_dict,
    Task.MULTICLASS: ClassEstimator.from_dict,
    Task.REGRESSION: LossEstimator.from_dict,
}
_PREDICTED = "y_pred"


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimator:
    """What a reference lets one expect of windows without labels.

    Parameters
    ----------
    task
        Decides which kind of estimator it is.
    kind
        Fitted on the rows of the reference.
    inflation
        By metric: by how much errors of the estimate on the reference's own windows vary more
        than those of independent rows would, at least 1; empty while unknown.
    """

    task: Task
    kind: Kind
    inflation: Mapping[str, float]

    def estimates(self, profile: Profile) -> list[Estimate]:
        """Estimate every metric that can be; empty when the profile does not hold what it takes."""
        counts = counts_of(profile)
        if counts is None:
            return []
        outside, rows = self._outside(profile, counts), _rows(self.kind, counts)
        return [
            each.estimate(
                inflation=self.inflation.get(each.metric, 1.0), rows=rows, outside=outside
            )
            for each in self.kind.expectations(counts)
        ]

    def learn(self, windows: Iterable[Profile]) -> Self:
        """Return the estimator with the inflation that the reference's own windows show."""
        return type(self)(
            task=self.task, kind=self.kind, inflation=learn_inflation(self.kind, windows)
        )

    def _outside(self, profile: Profile, counts: NDArray[np.int64]) -> float:
        if not isinstance(self.kind, LossEstimator):
            return self.kind.outside(counts)
        column = profile.column(_PREDICTED)
        return (column.under + column.over) / max(column.values, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {
            "task": str(self.task),
            "kind": self.kind.to_dict(),
            "inflation": dict(self.inflation),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        task = Task(data["task"])
        kind = _READERS[task](data["kind"])
        return cls(task=task, kind=kind, inflation=dict(data["inflation"]))


def counts_of(profile: Profile) -> NDArray[np.int64] | None:
    """Return the counts of what the model said of all rows; None where they are unknown."""
    if profile.layout.task is Task.REGRESSION:
        return profile.column(_PREDICTED).counts
    return profile.scores if profile.scores is not None and profile.scores.any() else None


def learn_inflation(kind: Kind, windows: Iterable[Profile]) -> dict[str, float]:
    """Return, by metric, how much the errors on these windows exceed those of independent rows.

    The mean squared error in units of the variance (quasi-likelihood, McCullagh & Nelder 1989,
    section 4.5), halfway between the metric's own and that of all metrics, at least 1.
    """
    errors: dict[str, list[float]] = {}
    for profile in windows:
        counts = counts_of(profile)
        if counts is None or profile.labels < max(_LABELLED * profile.rows, 1):
            continue
        for each in kind.expectations(counts):
            squared = _squared_error(each, profile)
            if squared is not None:
                errors.setdefault(each.metric, []).append(squared)
    means = {
        name: float(np.mean(found))
        for name, found in errors.items()
        if len(found) >= MINIMUM_WINDOWS
    }
    if not means:
        return {}
    common = float(np.mean(list(means.values())))
    return {name: max(1.0, (mean + common) / 2) for name, mean in means.items()}


def _squared_error(expected: Expectation, profile: Profile) -> float | None:
    seen = float(METRICS[expected.metric].value(profile.outcomes))
    if expected.variance <= 0 or not np.isfinite(seen - expected.value):
        return None
    return (seen - expected.value) ** 2 / expected.variance


def _rows(kind: Kind, counts: NDArray[np.int64]) -> int:
    # Each row is counted once for every class.
    repeats = len(kind.calibrations) if isinstance(kind, ClassEstimator) else 1
    return int(counts.sum()) // repeats
