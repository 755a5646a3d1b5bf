"""How often a score comes true: a smooth calibration map with its own uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from monitor.performance.outcomes import CLIP

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: With fewer labelled rows of either kind there is nothing to fit.
MINIMUM = 30
#: Scores are known to the map up to this distance, in logits, from a score of the reference.
REACH = 0.5
#: Weight of the ridge that keeps the curve finite where the classes can be told apart fully.
_RIDGE = 1e-3
_STEPS = 50
_FLAT = 30.0
_GROUPS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """The probability of the positive class as a function of the score.

    Parameters
    ----------
    knots
        Of the spline, in logits of the score, rising; with fewer than three it is a line.
    location, scale
        By which the columns of the basis are standardised.
    coefficients, covariance
        Of the logistic regression on them, shapes ``(k,)`` and ``(k, k)``.
    support
        Stretches of logits ``(low, high)`` in which the reference had scores.
    labels
        Labelled rows behind it.
    cut
        Logit at which the curve may jump, where the predicted class changes; None for no jump.

    Examples
    --------
    >>> scores = np.array([0.1, 0.3, 0.6, 0.9])
    >>> rows, hits = np.array([1000, 1000, 1000, 1000]), np.array([100, 300, 600, 900])
    >>> found = fit_calibration(scores, rows - hits, hits)
    >>> found.probability(scores).round(2).tolist()
    [0.1, 0.3, 0.6, 0.9]
    >>> found.supports(np.array([0.3, 0.999])).tolist()
    [True, False]
    >>> Calibration.from_dict(found.to_dict()).probability(scores).round(2).tolist()
    [0.1, 0.3, 0.6, 0.9]
    """

    knots: tuple[float, ...]
    location: Floats
    scale: Floats
    coefficients: Floats
    covariance: Floats
    support: tuple[tuple[float, float], ...]
    labels: int
    cut: float | None = None

    def design(self, scores: Floats) -> Floats:
        """Return the standardised basis at each score, shape ``(n, k)``."""
        basis = _basis(_logit(scores), self.knots, self.cut)
        return (basis - self.location) / self.scale

    def probability(self, scores: Floats) -> Floats:
        """Return the calibrated probability of each score."""
        return _expit(self.design(scores) @ self.coefficients)

    def supports(self, scores: Floats) -> NDArray[np.bool_]:
        """Return whether the reference had scores near each of these."""
        at = _logit(scores)
        return np.asarray(
            np.any([(low <= at) & (at <= high) for low, high in self.support], axis=0)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the map as plain JSON types."""
        return {
            "knots": list(self.knots),
            "location": self.location.tolist(),
            "scale": self.scale.tolist(),
            "coefficients": self.coefficients.tolist(),
            "covariance": self.covariance.tolist(),
            "support": [list(stretch) for stretch in self.support],
            "labels": self.labels,
            "cut": self.cut,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        arrays = ("location", "scale", "coefficients", "covariance")
        return cls(
            knots=tuple(data["knots"]),
            support=tuple((low, high) for low, high in data["support"]),
            labels=data["labels"],
            cut=data.get("cut"),
            **{name: np.array(data[name], dtype=np.float64) for name in arrays},
        )


def fit_calibration(
    scores: Floats,
    negatives: Integers,
    positives: Integers,
    *,
    minimum: int = MINIMUM,
    cut: float | None = None,
) -> Calibration | None:
    """Fit the map on counts of labelled rows by score; None where there are too few.

    Logistic regression on a restricted cubic spline of the logit of the score (Harrell 2015,
    section 2.4.5), with more knots the more labels there are. Against isotonic regression, which
    overstates how well scores rank (an AUC by 0.03 with 300 labels, by 0.007 with 5,000), it is
    nearly free of bias, and its covariance says how uncertain it is itself. Where the curve does
    not fit, groups of rows scatter around it more than chance allows, and the covariance grows by
    as much (Pearson's statistic over its degrees of freedom).

    Parameters
    ----------
    scores
        Middle of each bin, in ``[0, 1]``.
    negatives, positives
        Labelled rows of the reference in each bin.
    minimum
        Labels of either kind that are enough.
    cut
        Score from which on the positive class is predicted: accuracy, precision and recall hang on
        the two sides of it, so the curve may jump there.

    References
    ----------
    Harrell, F. E. (2015). Regression Modeling Strategies, 2nd edition. Springer.
    """
    fewest = int(min(negatives.sum(), positives.sum()))
    if fewest < minimum:
        return None
    rows = negatives + positives
    used = rows > 0
    at, weight = _logit(scores[used]), rows[used]
    knots = _knots(at, weight, fewest)
    jump = None if cut is None else float(_logit(np.array([cut]))[0])
    if jump is not None and not at[0] < jump <= at[-1]:
        jump = None
    basis = _basis(at, knots, jump)
    location = np.average(basis, axis=0, weights=weight)
    scale = np.sqrt(np.average((basis - location) ** 2, axis=0, weights=weight))
    location[0], scale[0] = 0.0, 1.0
    scale[scale == 0] = 1.0
    coefficients, covariance = _fit((basis - location) / scale, weight, positives[used])
    return Calibration(
        knots=knots,
        location=location,
        scale=scale,
        coefficients=coefficients,
        covariance=covariance,
        support=_support(at),
        labels=int(rows.sum()),
        cut=jump,
    )


def _logit(scores: Floats) -> Floats:
    inner = np.clip(scores, CLIP, 1 - CLIP)
    return np.asarray(np.log(inner) - np.log1p(-inner))


def _expit(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -_FLAT, _FLAT))))


def _knots(at: Floats, weight: Integers, fewest: int) -> tuple[float, ...]:
    """Return knots at quantiles of the scores; their number grows with the fifth root of rows."""
    number = int(np.clip(round(4 * (fewest / 100) ** 0.2), 3, 24))
    upto = np.cumsum(weight) / weight.sum()
    places = np.searchsorted(upto, np.linspace(0, 1, number))
    return tuple(np.unique(at[np.minimum(places, len(at) - 1)]).tolist())


def _basis(at: Floats, knots: tuple[float, ...], cut: float | None) -> Floats:
    """Return one, the logit, the jump, and curves that are straight beyond the outer knots."""
    columns = [np.ones_like(at), at]
    if cut is not None:
        columns.append((at >= cut).astype(np.float64))
    if len(knots) >= 3:
        before, last = knots[-2], knots[-1]
        unit = (last - knots[0]) ** 2
        end = np.maximum(at - before, 0) ** 3, np.maximum(at - last, 0) ** 3
        for knot in knots[:-2]:
            curve = np.maximum(at - knot, 0) ** 3
            curve = curve - end[0] * (last - knot) / (last - before)
            curve = curve + end[1] * (before - knot) / (last - before)
            columns.append(curve / unit)
    return np.stack(columns, axis=1)


def _fit(basis: Floats, weight: Integers, positives: Integers) -> tuple[Floats, Floats]:
    """Return the coefficients of the logistic regression on counts, and their covariance."""
    ridge = _RIDGE * np.eye(basis.shape[1])
    ridge[0, 0] = 0.0
    found = np.zeros(basis.shape[1])
    share = positives.sum() / weight.sum()
    found[0] = np.log(share / (1 - share))
    information = ridge
    for _ in range(_STEPS):
        chance = _expit(basis @ found)
        slope = basis.T @ (positives - weight * chance) - ridge @ found
        information = basis.T @ ((weight * chance * (1 - chance))[:, None] * basis) + ridge
        step = np.linalg.lstsq(information, slope, rcond=None)[0]
        # A step too far out of the flat ends of the curve would not come back.
        step /= max(1.0, float(np.abs(basis @ step).max()) / 5)
        found = found + step
        if float(np.abs(step).max()) < 1e-9:
            break
    covariance = np.asarray(np.linalg.pinv(information, hermitian=True), dtype=np.float64)
    return found, covariance * _misfit(weight, positives, _expit(basis @ found), len(found))


def _misfit(weight: Integers, positives: Integers, chance: Floats, parameters: int) -> float:
    """Return by how much groups of equal size scatter more around the curve than chance allows."""
    upto = np.cumsum(weight)
    group = np.minimum((upto - weight / 2) * _GROUPS / upto[-1], _GROUPS - 1).astype(np.int64)
    seen = np.bincount(group, weights=positives, minlength=_GROUPS)
    expected = np.bincount(group, weights=weight * chance, minlength=_GROUPS)
    variance = np.bincount(group, weights=weight * chance * (1 - chance), minlength=_GROUPS)
    # Few expected labels of either kind in a group make its square no chi-square at all.
    used = variance >= 1
    squares = (seen - expected)[used] ** 2 / variance[used]
    free = int(used.sum()) - parameters
    return max(1.0, float(squares.sum()) / free) if free > 0 else 1.0


def _support(at: Floats) -> tuple[tuple[float, float], ...]:
    gaps = np.flatnonzero(np.diff(at) > 2 * REACH)
    starts, ends = at[np.r_[0, gaps + 1]] - REACH, at[np.r_[gaps, len(at) - 1]] + REACH
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))
