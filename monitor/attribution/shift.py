"""How much of a change of loss is other rows, and how much other labels for the same rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.attribution.model import Part, ShiftSplit

Floats = NDArray[np.float64]

_DRAWS = 200
_SEED = 0
#: A chance nearer to 0 or 1 is not told apart from it by a few thousand rows.
_CLIP = 0.01


def split(losses: tuple[Floats, Floats], chances: Floats, domain_auc: float) -> ShiftSplit:
    """Split the change of the mean loss into changed rows and changed labels.

    DISDE (Cai, Namkoong & Yadlowsky 2023): between the reference P and the present Q lies the
    distribution S of features that both have, with density proportional to p·q/(p + q). On S, the
    loss under both laws of the label is known by weighting: rows of P by the chance that a
    classifier takes them for Q, rows of Q by the chance that it takes them for P. The change is
    (P → S) + (label on S) + (S → Q), exactly. Intervals are those of a bootstrap of the rows, with
    the classifier as it is.

    Parameters
    ----------
    losses
        Of the rows of the reference, and of now.
    chances
        Out-of-fold chance that a row is of now, for the reference's rows, then for today's.

    References
    ----------
    Cai, T. T., Namkoong, H. & Yadlowsky, S. (2023). Diagnosing Model Performance Under
    Distribution Shift. arXiv 2303.02011.
    """
    before, now = losses
    n, m = len(before), len(now)
    inner = np.clip(chances, _CLIP, 1 - _CLIP)
    odds = inner / (1 - inner) * n / m
    likely = odds / (1 + odds)
    weight = likely[:n], 1 - likely[n:]
    rng = np.random.default_rng(_SEED)
    draws = rng.poisson(1.0, (_DRAWS, n)), rng.poisson(1.0, (_DRAWS, m))
    values = _parts(losses, weight, (np.ones((1, n)), np.ones((1, m))))[:, 0]
    spread = _parts(losses, weight, (draws[0].astype(float), draws[1].astype(float)))
    lower, upper = np.quantile(spread, [0.025, 0.975], axis=1)
    parts = [
        Part(value=float(value), lower=float(low), upper=float(high))
        for value, low, high in zip(values, lower, upper, strict=True)
    ]
    return ShiftSplit(
        shared_x=parts[0],
        y_given_x=parts[1],
        unseen_x=parts[2],
        overlap=float(min(weight[0].mean() + weight[1].mean(), 1.0)),
        domain_auc=domain_auc,
    )


def _parts(
    losses: tuple[Floats, Floats], weight: tuple[Floats, Floats], rows: tuple[Floats, Floats]
) -> Floats:
    """Return the three parts for each draw of rows, shape ``(3, draws)``."""
    plain = [drawn @ loss / drawn.sum(axis=1) for loss, drawn in zip(losses, rows, strict=True)]
    shared = [
        (drawn * w) @ loss / (drawn @ w)
        for loss, w, drawn in zip(losses, weight, rows, strict=True)
    ]
    return np.stack([shared[0] - plain[0], shared[1] - shared[0], plain[1] - shared[1]])
