"""Which columns are suspects: those that matter to the model and have moved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.attribution.losses import Loss, Rows
from monitor.attribution.model import ColumnRank
from monitor.domain_classifier import one_thread
from watchkeeper.schema import Task

Floats = NDArray[np.float64]

_SEED = 0
_SHARE_LEARNED = 0.5
_REPEATS = 3
_LEAST_IMPORTANCE = 0.05


def importances(features: Floats, categorical: Sequence[bool], rows: Rows, loss: Loss) -> Floats:
    """Return how much loss the reference gains when each column is shuffled, at least 0.

    Permutation importance (Breiman 2001) on a stand-in: trees that learn what the model says from
    half of the rows, asked about the other half. The model itself is not at hand where only its
    log is.

    Parameters
    ----------
    features
        Of the reference, shape ``(n, columns)``.

    References
    ----------
    Breiman, L. (2001). Random Forests. Machine Learning 45, 5–32.
    """
    rng = np.random.default_rng(_SEED)
    order = rng.permutation(len(features))
    cut = int(len(order) * _SHARE_LEARNED)
    learned, asked = order[:cut], order[cut:]
    with one_thread():
        model = _stand_in(categorical, loss.task).fit(features[learned], _said(rows, loss)[learned])
        held = Rows(truth=rows.truth[asked], said=rows.said[asked], score=rows.score[asked])
        base = loss.of(_answered(model, features[asked], held, loss)).mean()
        found = np.zeros(features.shape[1])
        for column in range(features.shape[1]):
            for _ in range(_REPEATS):
                changed = features[asked].copy()
                changed[:, column] = rng.permutation(changed[:, column])
                found[column] += loss.of(_answered(model, changed, held, loss)).mean() - base
    return np.asarray(np.maximum(found / _REPEATS, 0.0))


def rank(names: Sequence[str], importance: Floats, drift: Mapping[str, float]) -> list[ColumnRank]:
    """Rank the columns by importance times drift.

    Importance is in units of the loss; times the root of the drift (a distance, as the drift is
    the square of one) it is about the loss that the drift can have caused. Of columns that say the
    same, shuffling one alone costs little; none counts for less than a twentieth of the greatest.

    Parameters
    ----------
    drift
        By column, in nats, beyond what is usual.

    Examples
    --------
    >>> ranked = rank(["wind", "seats"], np.array([0.01, 0.05]), {"wind": 4.0, "seats": 0.01})
    >>> [(one.column, round(one.score, 3)) for one in ranked]
    [('wind', 0.02), ('seats', 0.005)]
    """
    least = _LEAST_IMPORTANCE * float(importance.max(initial=0.0))
    found = []
    for name, weight in zip(names, importance.tolist(), strict=True):
        moved = max(drift.get(name, 0.0), 0.0)
        score = max(weight, least) * math.sqrt(moved)
        found.append(ColumnRank(column=name, importance=weight, drift=moved, score=score))
    return sorted(found, key=lambda one: (-one.score, -one.drift, one.column))


def _stand_in(categorical: Sequence[bool], task: Task) -> Any:
    from sklearn.ensemble import (  # noqa: PLC0415
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    kind = (
        HistGradientBoostingClassifier if task is Task.MULTICLASS else HistGradientBoostingRegressor
    )
    return kind(
        max_iter=80,
        max_leaf_nodes=15,
        categorical_features=list(categorical),
        early_stopping=False,
        random_state=_SEED,
    )


def _said(rows: Rows, loss: Loss) -> Floats:
    scored = loss.task is Task.BINARY and not np.isnan(rows.score).any()
    return rows.score if scored else rows.said


def _answered(model: Any, features: Floats, rows: Rows, loss: Loss) -> Rows:
    """Return the rows with what the stand-in says in the place of what the model said."""
    said = np.asarray(model.predict(features), dtype=np.float64)
    if loss.task is Task.BINARY:
        score = np.clip(said, 0.0, 1.0)
        return Rows(truth=rows.truth, said=(score >= 0.5).astype(np.float64), score=score)
    if loss.task is Task.MULTICLASS:
        chances = model.predict_proba(features)
        place = np.searchsorted(model.classes_, rows.truth)
        known = np.isin(rows.truth, model.classes_)
        column = np.minimum(place, len(model.classes_) - 1)
        score = np.where(known, chances[np.arange(len(chances)), column], 0.0)
        return Rows(truth=rows.truth, said=said, score=score)
    return Rows(truth=rows.truth, said=said, score=rows.score)
