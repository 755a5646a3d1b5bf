"""Confidence-based performance estimation (CBPE) for a binary model, from counts of scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from monitor.estimation.calibration import Calibration, fit_calibration
from monitor.estimation.model import Expectation
from monitor.performance.outcomes import CLIP, Outcomes
from monitor.performance.scores import BINS, midpoints
from monitor.performance.table import METRICS
from watchkeeper.schema import Task

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


#: Where most models change the predicted class.
_CUT = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What the labels of a window are expected to be.

    Parameters
    ----------
    rows, positives
        Rows and expected positives by predicted class and score bin, shapes ``(2, BINS)``.
    outcomes
        The same as outcomes, so that every metric has its usual value.
    end_loss
        As in the estimator.
    """

    rows: Floats
    positives: Floats
    outcomes: Outcomes
    end_loss: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BinaryEstimator:
    """What the reference says of the labels behind each score.

    Parameters
    ----------
    calibration
        From score to probability.
    end_loss
        Logarithmic loss of a wrong answer in the first or last score bin; there, a mean over a
        bin says little, for a score of exactly 0 or 1 costs three times as much as its neighbours.
    """

    calibration: Calibration
    end_loss: float

    def expectations(self, scores: Integers) -> list[Expectation]:
        """Estimate the metrics of a window from the scores of all its rows.

        Each row is positive with its calibrated probability, so the expected confusion table, and
        with it every metric, is known before a label is (Kivimäki et al. 2025). The variance is
        that of the metric which the labels of these very rows will show: the chance of the labels,
        given their probabilities, plus the uncertainty of the calibration, both by the delta
        method. The scores of the window are known, so they add nothing. It holds while
        P(label | score) is that of the reference: a concept change is invisible to it.

        Parameters
        ----------
        scores
            Rows by predicted class and score bin, shape ``(2 * BINS,)``.

        Returns
        -------
        list of Expectation
            ROC AUC, average precision, accuracy, F1, precision, recall, Brier score and log loss;
            empty without rows. The calibration error has none: the calibration is what is assumed.

        References
        ----------
        Kivimäki, J., Białek, J., Kuberski, W. & Nurminen, J. K. (2025). Performance Estimation in
        Binary Classification Using Calibrated Confidence. arXiv 2505.05295.
        """
        if not scores.sum():
            return []
        middle = midpoints()
        chance = self.calibration.probability(middle)
        expected = expect(scores.reshape(2, BINS).astype(np.float64), chance, self.end_loss)
        noise = expected.rows * chance * (1 - chance)
        design = self.calibration.design(middle)
        found = []
        for name, influence in INFLUENCES.items():
            weight = influence(expected)
            moved = (weight * noise).sum(axis=0) @ design
            variance = (weight**2 * noise).sum() + moved @ self.calibration.covariance @ moved
            value = float(METRICS[name].value(expected.outcomes))
            found.append(Expectation(metric=name, value=value, variance=float(variance)))
        return found

    def outside(self, scores: Integers) -> float:
        """Return the share of rows whose score is unlike any of the reference."""
        rows = scores.reshape(2, BINS).sum(axis=0)
        unknown = ~self.calibration.supports(midpoints())
        return float(rows[unknown].sum()) / max(int(rows.sum()), 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {"calibration": self.calibration.to_dict(), "end_loss": self.end_loss}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            calibration=Calibration.from_dict(data["calibration"]), end_loss=data["end_loss"]
        )


def fit_binary(outcomes: Outcomes) -> BinaryEstimator | None:
    """Fit the estimator on the labelled rows of a reference; None where there are too few."""
    negatives, positives = outcomes.scored()
    calibration = fit_calibration(midpoints(), negatives, positives, cut=_CUT)
    if calibration is None:
        return None
    log_hit, log_miss = _losses()
    hidden = float(outcomes.sum_of("log_loss") - positives @ log_hit - negatives @ log_miss)
    wrong = int(positives[0] + negatives[-1])
    end_loss = float(log_hit[0]) + (hidden / wrong if wrong else 0.0)
    return BinaryEstimator(
        calibration=calibration, end_loss=float(np.clip(end_loss, log_hit[0], -np.log(CLIP)))
    )


def expect(rows: Floats, chance: Floats, end_loss: float) -> Expected:
    """Return the expected outcomes of rows by predicted class and score bin."""
    positives = rows * chance
    negatives = rows - positives
    confusion = [negatives[0].sum(), negatives[1].sum(), positives[0].sum(), positives[1].sum()]
    by_bin, hits = rows.sum(axis=0), positives.sum(axis=0)
    log_hit, log_miss = _losses(end_loss)
    middle = midpoints()
    loss = float(hits @ log_hit + (by_bin - hits) @ log_miss)
    brier = float(hits @ (1 - middle) ** 2 + (by_bin - hits) @ middle**2)
    # Squares serve the intervals of measured metrics; an estimate has its own.
    sums = np.array([by_bin.sum(), loss, np.nan, brier, np.nan])
    counts = np.concatenate([confusion, negatives.sum(axis=0), hits])
    outcomes = Outcomes(task=Task.BINARY, counts=counts, sums=sums)
    return Expected(rows=rows, positives=positives, outcomes=outcomes, end_loss=end_loss)


def _losses(end_loss: float | None = None) -> tuple[Floats, Floats]:
    """Return the logarithmic loss of a positive and of a negative in each bin."""
    log_hit, log_miss = -np.log(midpoints()), -np.log1p(-midpoints())
    if end_loss is not None:
        log_hit[0] = log_miss[-1] = end_loss
    return log_hit, log_miss


def _by_guess(missed: float, hit: float) -> Floats:
    return np.array([[missed], [hit]]) * np.ones((1, BINS))


def _accuracy(expected: Expected) -> Floats:
    total = expected.rows.sum()
    return _by_guess(-1 / total, 1 / total)


def _precision(expected: Expected) -> Floats:
    return _by_guess(0.0, 1 / max(float(expected.rows[1].sum()), 1.0))


def _recall(expected: Expected) -> Floats:
    positives, hits = float(expected.positives.sum()), float(expected.positives[1].sum())
    return _by_guess(-hits / positives**2, 1 / positives - hits / positives**2)


def _f1(expected: Expected) -> Floats:
    hits = float(expected.positives[1].sum())
    either = float(expected.rows[1].sum() + expected.positives.sum())
    return _by_guess(-2 * hits / either**2, 2 / either - 2 * hits / either**2)


def _brier(expected: Expected) -> Floats:
    each = (1 - 2 * midpoints()) / expected.rows.sum()
    return np.stack([each, each])


def _log_loss(expected: Expected) -> Floats:
    log_hit, log_miss = _losses(expected.end_loss)
    each = (log_hit - log_miss) / expected.rows.sum()
    return np.stack([each, each])


def _roc_auc(expected: Expected) -> Floats:
    hits = expected.positives.sum(axis=0)
    misses = expected.rows.sum(axis=0) - hits
    positives, negatives = hits.sum(), misses.sum()
    below = np.cumsum(misses) - misses / 2
    above = positives - np.cumsum(hits) + hits / 2
    auc = float(hits @ below) / (positives * negatives)
    each = (below - above) / (positives * negatives) - auc * (1 / positives - 1 / negatives)
    return np.stack([each, each])


def _average_precision(expected: Expected) -> Floats:
    hits = expected.positives.sum(axis=0)[::-1]
    taken = np.maximum(np.cumsum(expected.rows.sum(axis=0)[::-1]), CLIP)
    positives = hits.sum()
    precision = np.cumsum(hits) / taken
    value = float(hits @ precision) / positives
    lower_hits = np.cumsum((hits / taken)[::-1])[::-1]
    each = (((precision + lower_hits) - value) / positives)[::-1]
    return np.stack([each, each])


#: By how much each metric changes when one row of a predicted class and score bin turns positive.
INFLUENCES: dict[str, Callable[[Expected], Floats]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "accuracy": _accuracy,
    "f1": _f1,
    "precision": _precision,
    "recall": _recall,
    "brier": _brier,
    "log_loss": _log_loss,
}
