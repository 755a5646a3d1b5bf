"""ROC AUC as a mean of bounded losses: small groups of one row against a few of the other class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Rows of the larger class in a group, at most.
MOST_PARTNERS = 10


def micro_block_losses(
    negatives: NDArray[np.int64], positives: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return, per group, the share of its pairs in which the negative scores above the positive.

    Each row of the smaller class is put together with ``q`` rows of the larger one, drawn without
    replacement. A pair in one bin counts one half. The groups are disjoint, and the expected loss
    of each is one less the ROC AUC of the rows, so that a sum over groups can be bet against,
    which the ROC AUC itself, a mean over overlapping pairs, does not allow.

    Parameters
    ----------
    negatives, positives
        Rows by score bin, shape ``(BINS,)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(min(n_negatives, n_positives),)``, values in ``[0, 1]``; empty for one class.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> micro_block_losses(np.array([4, 0, 2]), np.array([0, 1, 0]), generator).round(3).tolist()
    [0.333]
    """
    swapped = positives.sum() > negatives.sum()
    few, many = (negatives, positives) if swapped else (positives, negatives)
    n_few = int(few.sum())
    if n_few == 0:
        return np.empty(0)
    partners = min(MOST_PARTNERS, int(many.sum()) // n_few)
    bins = np.arange(len(few))
    of_few = generator.permutation(np.repeat(bins, few))
    of_many = generator.permutation(np.repeat(bins, many))[: n_few * partners]
    against = of_many.reshape(n_few, partners)
    below = (against < of_few[:, None]).mean(axis=1) + (against == of_few[:, None]).mean(axis=1) / 2
    return np.asarray(below if swapped else 1 - below, dtype=np.float64)
