"""How much loss a model has cost beyond its reference level, added up window by window."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from retrain.model import ConsideredWindow

#: Half a standard error of a window's total is forgiven, so that noise does not add up.
SLACK = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Excess:
    """The running account after a number of windows.

    Parameters
    ----------
    amount
        Summed loss beyond the level, in the metric's units times rows, never below 0.
    since
        Start of the window in which the account last left 0; None while it is 0.
    labels
        Labelled rows in all windows that were added up.
    """

    amount: float
    since: datetime | None
    labels: int


def per_row_loss(value: float, *, higher_is_better: bool) -> float:
    """Return a window's metric as a mean loss per row.

    A loss is itself. A score with 1 as its best (ROC AUC, accuracy, F1) counts as ``1 - value``
    for each row: for accuracy that is the share of errors, for the others a surrogate, since a
    rank statistic is no mean over rows. A business value counts as ``1 - value`` too: where it is
    reckoned from does not matter for what exceeds a level.

    Examples
    --------
    >>> per_row_loss(0.75, higher_is_better=True)
    0.25
    """
    return 1 - value if higher_is_better else value


def accumulate(
    windows: Iterable[ConsideredWindow], *, level: float, carried: float = 0.0
) -> Excess:
    """Add up the excess loss of windows in order of time.

    Each window with a loss adds ``(loss - level) * labels - SLACK * standard_error * labels``, and
    the sum never falls below 0: a one-sided cumulative sum (CUSUM) with a reference value, in the
    units of the loss. Without a standard error that of a proportion, ``sqrt(level * (1 - level) /
    labels)``, or of an exponential spread, ``level / sqrt(labels)``, is taken, the smaller.

    Parameters
    ----------
    level
        Mean loss of a row that was promised; finite, and at least 0 but for a business value.
    carried
        The account before the first window.

    Examples
    --------
    Two days of 100 rows at 0.1 and 0.2 above the level, with a slack of 0.5 x 0.04 x 100 = 2 each:

    >>> from datetime import UTC, timedelta
    >>> from watchkeeper.window import Window
    >>> def day(number, loss):
    ...     start = datetime(2013, 6, number, tzinfo=UTC)
    ...     return ConsideredWindow(window=Window(start=start, end=start + timedelta(days=1)),
    ...         version=1, labels=100, loss=loss, standard_error=0.04)
    >>> excess = accumulate([day(1, 0.5), day(2, 0.6)], level=0.4)
    >>> round(excess.amount, 6), excess.since.day
    (26.0, 1)
    """
    amount, since, labels = carried, None, 0
    for considered in windows:
        if considered.loss is None or considered.labels == 0:
            continue
        labels += considered.labels
        error = considered.standard_error
        if error is None:
            error = _assumed_error(level, considered.labels)
        step = (considered.loss - level - SLACK * error) * considered.labels
        amount = max(0.0, amount + step)
        if amount == 0.0:
            since = None
        elif since is None:
            since = considered.window.start
    return Excess(amount=amount, since=since, labels=labels)


def _assumed_error(level: float, labels: int) -> float:
    proportion = math.sqrt(level * (1 - level)) if 0 <= level <= 1 else math.inf
    return min(proportion, abs(level)) / math.sqrt(labels)
