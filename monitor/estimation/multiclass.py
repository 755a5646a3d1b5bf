"""Performance of a multi-class model before labels arrive: one calibration for each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from monitor.estimation.calibration import Calibration, fit_calibration
from monitor.estimation.model import Expectation
from monitor.performance.outcomes import CLIP
from monitor.profiles.score_cells import CLASS_BINS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: With fewer labels of a class its probability is taken as the model gives it.
MINIMUM_OF_A_CLASS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassEstimator:
    """What the reference says of the labels behind each class's probability.

    Parameters
    ----------
    calibrations
        One against the rest, for each class; None where the reference has too few of it.
    losses
        Mean logarithmic loss of the rows of a class by the bin of its probability, shape
        ``(classes, CLASS_BINS)``.
    """

    calibrations: tuple[Calibration | None, ...]
    losses: Floats

    def expectations(self, scores: Integers) -> list[Expectation]:
        """Estimate accuracy, F1 and log loss of a window from the probabilities of all its rows.

        As for a binary model, with one calibration for each class against the rest. Labels of
        different classes are taken as independent in the variance.

        Parameters
        ----------
        scores
            Rows by class, by whether it is the predicted one, and by bin of its probability,
            shape ``(classes * 2 * CLASS_BINS,)``.
        """
        k = len(self.calibrations)
        rows = scores.reshape(k, 2, CLASS_BINS).astype(np.float64)
        total = float(rows[0].sum())
        if not total:
            return []
        hits = rows * self._chances()[:, None, :]
        true, found = hits.sum(axis=(1, 2)), rows[:, 1].sum(axis=1)
        agree = hits[:, 1].sum(axis=1)
        either = true + found
        present = either > 0
        n_present = max(int(present.sum()), 1)
        f1 = np.divide(2 * agree, either, out=np.zeros(k), where=present)
        ones = np.ones((k, 1))
        safe = np.maximum(either, CLIP)[:, None]
        of_f1 = np.stack([-f1[:, None] / safe, (2 - f1[:, None]) / safe], axis=1) / n_present
        cells = np.ones((1, 1, CLASS_BINS))
        of_accuracy = np.stack([0 * ones, ones / total], axis=1) * cells
        of_loss = self.losses[:, None, :] / total * np.ones((1, 2, 1))
        values = {
            "accuracy": (agree.sum() / total, of_accuracy),
            "f1": (f1.sum() / n_present, of_f1 * cells),
            "log_loss": ((hits * of_loss).sum(), of_loss),
        }
        return [
            Expectation(metric=name, value=float(value), variance=self._variance(rows, weight))
            for name, (value, weight) in values.items()
        ]

    def outside(self, scores: Integers) -> float:
        """Return the share of rows whose predicted class has a probability new to it."""
        rows = scores.reshape(-1, 2, CLASS_BINS)[:, 1]
        unknown = 0
        for counts, calibration in zip(rows, self.calibrations, strict=True):
            known = None if calibration is None else calibration.supports(middles())
            unknown += int(counts.sum() if known is None else counts[~known].sum())
        return unknown / max(int(rows.sum()), 1)

    def _chances(self) -> Floats:
        middle = middles()
        raw = [each.probability(middle) if each else middle for each in self.calibrations]
        return np.stack(raw)

    def _variance(self, rows: Floats, weight: Floats) -> float:
        chance = self._chances()[:, None, :]
        noise = rows * chance * (1 - chance)
        variance = float((weight**2 * noise).sum())
        for moves, each in zip((weight * noise).sum(axis=1), self.calibrations, strict=True):
            if each is not None:
                moved = moves @ each.design(middles())
                variance += float(moved @ each.covariance @ moved)
        return variance

    def to_dict(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {
            "calibrations": [each and each.to_dict() for each in self.calibrations],
            "losses": self.losses.round(6).tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            calibrations=tuple(
                None if each is None else Calibration.from_dict(each)
                for each in data["calibrations"]
            ),
            losses=np.array(data["losses"], dtype=np.float64),
        )


def middles() -> Floats:
    """Return the middle of each bin of a class's probability."""
    return (np.arange(CLASS_BINS) + 0.5) / CLASS_BINS


def fit_classes(labels: Integers, scores: Floats) -> ClassEstimator:
    """Fit the estimator on labelled rows of a reference.

    Parameters
    ----------
    labels
        Index of the true class of each row, shape ``(n,)``; other numbers are no known class.
    scores
        Probabilities, shape ``(n, classes)``, without NaN.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> chance = rng.dirichlet([1, 1, 1], 2000)
    >>> labels = (chance.cumsum(axis=1) < rng.random((2000, 1))).sum(axis=1)
    >>> found = fit_classes(labels, chance)
    >>> [each is not None for each in found.calibrations]
    [True, True, True]
    """
    k = scores.shape[1]
    place = np.minimum((scores * CLASS_BINS).astype(np.int64), CLASS_BINS - 1)
    calibrations, losses = [], np.tile(-np.log(middles()), (k, 1))
    for each in range(k):
        true = labels == each
        positives = np.bincount(place[true, each], minlength=CLASS_BINS)
        negatives = np.bincount(place[~true, each], minlength=CLASS_BINS)
        calibrations.append(
            fit_calibration(middles(), negatives, positives, minimum=MINIMUM_OF_A_CLASS)
        )
        loss = -np.log(np.clip(scores[true, each], CLIP, 1.0))
        total = np.bincount(place[true, each], weights=loss, minlength=CLASS_BINS)
        np.divide(total, positives, out=losses[each], where=positives > 0)
    return ClassEstimator(calibrations=tuple(calibrations), losses=losses)
