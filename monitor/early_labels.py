"""Whether the rows whose labels have come so far are like those whose labels have not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from monitor.comparison.drift import BOUND
from monitor.drift import merge_cells
from monitor.estimate import CHECK
from monitor.model import CheckResult, CheckStatus, Family, Threshold
from monitor.performance.scores import BINS
from monitor.profiles.model import Profile
from monitor.profiles.score_cells import CLASS_BINS
from monitor.statistics.chi_square import pearson
from monitor.statistics.psi import psi
from monitor.subject import Subject
from watchkeeper.schema import Task

METRIC = "early_label_bias"
#: With more of the rows labelled, the rest cannot change much.
_NEARLY_ALL = 0.9
_FEWEST = 50
#: Every window is tested, so a finding must be rarer by chance than one window in a thousand.
_ALPHA = 0.001

Counts = NDArray[np.int64]


def check_early_labels(subject: Subject, profile: Profile) -> list[CheckResult]:
    """Compare what the model said of labelled rows with what it said of those without a label.

    A cancellation is known before a stay, a late flight's label when it lands: labels that come
    early are often not like those that come late, and performance measured on them is not that of
    the window. Scores are compared where the model gives them (for several classes what it
    predicted), by Pearson's test on groups of the scores.

    Returns
    -------
    list of CheckResult
        One, while a part of the labels is there; none before, or once nearly all are.
    """
    sides = _sides(profile)
    if sides is None:
        return []
    with_label, without = sides
    n, m = int(with_label.sum()), int(without.sum())
    if min(n, m) < _FEWEST or n > _NEARLY_ALL * (n + m):
        return []
    ordered = profile.layout.task is Task.BINARY
    one, two = merge_cells(with_label + without, with_label, ordered=ordered)
    rest = one - two
    if len(one) < 2:
        return []
    p_value = float(chdtrc(len(one) - 1, float(pearson(two, rest))))
    apart = psi(two, rest)
    biased = p_value < _ALPHA and apart >= BOUND
    like = "are not like the rest" if biased else "are like the rest"
    return [
        CheckResult(
            measurement=subject.measurement(
                METRIC, apart, p_value=p_value, n_current=n, n_reference=m
            ),
            threshold=Threshold(method="materiality", upper=BOUND),
            family=Family.PERFORMANCE,
            check=CHECK,
            status=CheckStatus.WARNING if biased else CheckStatus.OK,
            reason=f"the {n} labels that have arrived so far {like} ({m} rows): "
            f"PSI of the predictions {apart:.3f}, p {p_value:.2g}",
            effect=apart / BOUND,
        )
    ]


def _sides(profile: Profile) -> tuple[Counts, Counts] | None:
    """Return rows by what the model said of them, with a label and without; None if unknown."""
    if profile.scores is None or not profile.scores.any():
        return None
    if profile.layout.task is Task.BINARY:
        negatives, positives = profile.outcomes.scored()
        labelled, everything = negatives + positives, profile.scores.reshape(2, BINS).sum(axis=0)
    else:
        labelled = profile.outcomes.by_class(1)[:-1]
        everything = profile.scores.reshape(-1, 2, CLASS_BINS)[:, 1].sum(axis=1)
    rest = everything - labelled
    # Labelled rows whose score is no probability are in one of the two counts alone.
    return labelled, np.maximum(rest, 0)
