"""Whether a classifier can tell the rows of now from those of the reference, and by which columns.

What moves no column by itself, such as a join that pairs each row with its neighbour's values,
still moves how columns go together; a classifier sees that.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from monitor.encoding import Encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]

FOLDS = 5
#: With fewer rows on either side the folds are too small to learn from.
MINIMUM_ROWS = 100
_SEED = 0
_LEVEL = 0.95
#: Variance of the mean over folds in units of that of one: folds learn from each other's rows.
_REPEATED = 1 / FOLDS + 1 / (FOLDS - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainAuc:
    """How well rows of now can be told from the reference.

    Parameters
    ----------
    auc, lower, upper
        Out-of-fold ROC AUC with its 95 % interval; 0.5 is not at all.
    p_value
        One-sided, against 0.5.
    importances
        Columns with the AUC that is lost when each is shuffled, the most important first.
    chances
        Out-of-fold probability that a row is of now: of the reference's rows, then of today's.
    n_reference, n_current
        Rows behind it.
    """

    auc: float
    lower: float
    upper: float
    p_value: float
    importances: tuple[tuple[str, float], ...]
    chances: Floats
    n_reference: int
    n_current: int


def domain_auc(
    rows: Encoded, *, importances: bool = True, coarse: bool = False
) -> DomainAuc | None:
    """Train a classifier to tell the two sides apart; None when there are too few rows.

    The test is that of Lopez-Paz & Oquab (2017) on an AUC: gradient-boosted trees in five folds;
    each fold's AUC has the Mann-Whitney variance on rows that its trees have not seen, and their
    mean the variance of Nadeau & Bengio (2003), for folds that learn from each other's rows are
    not independent (taken as such, they reject 13 % of the time at 5 %). Rows are taken as
    independent, so rows of one storm make the p-value too small.

    Parameters
    ----------
    importances
        Whether to find out which columns matter.
    coarse
        Whether chances are to be told for large groups of rows rather than for single ones.

    References
    ----------
    Lopez-Paz, D. & Oquab, M. (2017). Revisiting Classifier Two-Sample Tests. ICLR.
    Nadeau, C. & Bengio, Y. (2003). Inference for the Generalization Error. Machine Learning
    52, 239–281.
    """
    n, m = len(rows.reference), len(rows.current)
    if min(n, m) < MINIMUM_ROWS or not rows.names:
        return None
    features = np.concatenate([rows.reference, rows.current])
    side = np.r_[np.zeros(n, dtype=np.int64), np.ones(m, dtype=np.int64)]
    rng = np.random.default_rng(_SEED)
    fold = _folds(side, rng)
    chances = np.empty(n + m)
    aucs, variances = [], []
    losses = np.zeros((FOLDS, len(rows.names)))
    with one_thread():
        for k in range(FOLDS):
            held = fold == k
            model = classifier(rows.categorical, coarse=coarse).fit(features[~held], side[~held])
            chances[held] = model.predict_proba(features[held])[:, 1]
            auc, variance = _auc(side[held], chances[held])
            aucs.append(auc)
            variances.append(variance)
            if importances:
                losses[k] = auc - _shuffled(model, features[held], side[held], rng)
    auc = float(np.mean(aucs))
    null = math.sqrt(float(np.mean(_null_variances(side, fold))) * _REPEATED)
    half = float(norm.ppf((1 + _LEVEL) / 2)) * math.sqrt(float(np.mean(variances)) * _REPEATED)
    mean = losses.mean(axis=0)
    ranked = sorted(zip(rows.names, mean.tolist(), strict=True), key=lambda pair: -pair[1])
    return DomainAuc(
        auc=auc,
        lower=max(auc - half, 0.0),
        upper=min(auc + half, 1.0),
        p_value=float(norm.sf((auc - 0.5) / null)),
        importances=tuple(ranked) if importances else (),
        chances=chances,
        n_reference=n,
        n_current=m,
    )


def classifier(categorical: Sequence[bool], *, coarse: bool = False) -> Any:
    """Return the classifier, untrained; a coarse one tells only large groups of rows apart."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    return HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=6 if coarse else 15,
        min_samples_leaf=100 if coarse else 20,
        l2_regularization=1.0,
        categorical_features=list(categorical),
        early_stopping=False,
        random_state=_SEED,
    )


def one_thread() -> AbstractContextManager[object]:
    """Keep trees to one thread: on a busy machine several wait for each other for minutes."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def _folds(side: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal the rows of either side evenly, in random order."""
    fold = np.empty(len(side), dtype=np.int64)
    for each in (0, 1):
        rows = np.flatnonzero(side == each)
        fold[rng.permutation(rows)] = np.arange(len(rows)) % FOLDS
    return fold


def _auc(side: NDArray[np.int64], chance: Floats) -> tuple[float, float]:
    """Return the AUC and its variance from placements (DeLong et al. 1988)."""
    now = side == 1
    n, m = int((~now).sum()), int(now.sum())
    ranks = rankdata(chance)
    above = (ranks[now] - rankdata(chance[now])) / n
    below = 1 - (ranks[~now] - rankdata(chance[~now])) / m
    auc = float(above.mean())
    return auc, float(above.var(ddof=1) / m + below.var(ddof=1) / n)


def _null_variances(side: NDArray[np.int64], fold: NDArray[np.int64]) -> list[float]:
    found = []
    for k in range(FOLDS):
        n, m = (int(((fold == k) & (side == each)).sum()) for each in (0, 1))
        found.append((n + m + 1) / (12 * n * m))
    return found


def _shuffled(
    model: Any, features: Floats, side: NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Return the AUC with each column shuffled in turn."""
    found = np.empty(features.shape[1])
    for column in range(features.shape[1]):
        changed = features.copy()
        changed[:, column] = rng.permutation(changed[:, column])
        found[column] = _auc(side, model.predict_proba(changed)[:, 1])[0]
    return found
