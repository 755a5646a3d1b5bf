"""Direct loss estimation (DLE) for a regression model, from counts of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from monitor.estimation.model import Expectation
from monitor.performance.outcomes import CLIP

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: The losses that are learned, and the metric that the mean of each is.
LOSSES = ("mae", "mse", "mape")
#: With fewer labelled rows there is nothing to learn.
MINIMUM_ROWS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class LossEstimator:
    """How large errors are where the model predicts what.

    Parameters
    ----------
    rows
        Labelled rows of the reference in each bin of the prediction, shape ``(bins,)``.
    means, variances
        Of each loss in each bin, shape ``(3, bins)`` in the order of ``LOSSES``.
    """

    rows: Floats
    means: Floats
    variances: Floats

    def expectations(self, predicted: Integers) -> list[Expectation]:
        """Estimate MAE, RMSE and MAPE of a window from the predictions of all its rows.

        The expected loss of a row is the mean loss of the reference where predictions were alike;
        the variance is that of the losses themselves and of these means. Rows that are harder
        than others of the same prediction are not told apart. R² has no estimate, for it needs
        the variance of the labels.

        Parameters
        ----------
        predicted
            Rows by bin of the prediction.
        """
        total = int(predicted.sum())
        if not total:
            return []
        share = predicted / total
        values = self.means @ share
        variances = self.variances @ (share / total) + self.variances @ (
            share**2 / np.maximum(self.rows, 1)
        )
        found = dict(
            zip(LOSSES, zip(values.tolist(), variances.tolist(), strict=True), strict=True)
        )
        mse, of_mse = found["mse"]
        found["rmse"] = float(np.sqrt(mse)), of_mse / (4 * max(mse, CLIP))
        return [
            Expectation(metric=name, value=found[name][0], variance=found[name][1])
            for name in ("mae", "rmse", "mape")
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {name: getattr(self, name).tolist() for name in ("rows", "means", "variances")}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        names = ("rows", "means", "variances")
        return cls(**{name: np.array(data[name], dtype=np.float64) for name in names})


def fit_losses(labels: Floats, predicted: Floats, edges: tuple[float, ...]) -> LossEstimator | None:
    """Learn the losses on labelled rows of a reference; None where there are too few.

    Parameters
    ----------
    labels, predicted
        Finite numbers, shape ``(n,)``.
    edges
        Inclusive upper bounds of the bins of the prediction.

    Examples
    --------
    >>> predicted = np.repeat([1.0, 2.0], 100)
    >>> found = fit_losses(predicted + np.repeat([0.5, 1.5], 100), predicted, (1.0, 2.0))
    >>> found.means[0].tolist()
    [0.5, 1.5, 1.5]
    >>> [each.value for each in found.expectations(np.array([3, 1, 0]))][:1]
    [0.75]
    """
    if len(labels) < MINIMUM_ROWS:
        return None
    error = np.abs(labels - predicted)
    losses = np.stack([error, error**2, error / np.maximum(np.abs(labels), CLIP)])
    place = np.searchsorted(np.asarray(edges), predicted, side="left")
    rows = np.bincount(place, minlength=len(edges) + 1)
    sums = np.stack([_sums(loss, place, len(rows)) for loss in losses])
    squares = np.stack([_sums(loss**2, place, len(rows)) for loss in losses])
    # A bin that the reference left empty, such as the one above its greatest prediction, is taken
    # to be like its nearest neighbour.
    filled = np.flatnonzero(rows)
    nearest = filled[np.abs(np.arange(len(rows))[:, None] - filled).argmin(axis=1)]
    means = (sums[:, filled] / rows[filled])[:, np.searchsorted(filled, nearest)]
    of_squares = (squares[:, filled] / rows[filled])[:, np.searchsorted(filled, nearest)]
    return LossEstimator(
        rows=rows[nearest].astype(np.float64),
        means=np.ascontiguousarray(means),
        variances=np.ascontiguousarray(np.maximum(of_squares - means**2, 0.0)),
    )


def _sums(values: Floats, place: Integers, size: int) -> Floats:
    return np.bincount(place, weights=values, minlength=size).astype(np.float64)
