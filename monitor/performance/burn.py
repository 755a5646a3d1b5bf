"""How much loss beyond the tolerance some windows have cost, and how fast it was spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from watchkeeper.window import DAY, Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What one version lost in one window.

    Parameters
    ----------
    labels
        Labelled rows, at least 1.
    beyond
        Mean loss of a row beyond the limit in the metric's unit, negative within it.
    effect
        Distance from the level in units of the tolerance: 1.0 spends just what is tolerated.
    """

    window: Window
    labels: int
    beyond: float
    effect: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Burn:
    """The loss of a stretch of time, held against what is tolerated.

    Parameters
    ----------
    windows, labels
        How many windows were added up, and their labelled rows.
    waiting
        Windows with rows since then whose labels are not all in; nothing is said of them.
    days
        Length of the windows that were added up.
    excess
        Loss beyond the tolerance, in the metric's unit times labelled rows, at least 0.
    rate
        Loss since then in units of the tolerated one: 1.0 is all that is tolerated, 3.0 three
        times as much, 0 the level of the reference; None where no window was added up.
    """

    metric: str
    windows: int
    waiting: int
    labels: int = 0
    days: float = 0.0
    excess: float = 0.0
    rate: float | None = None

    @property
    def per_row(self) -> float:
        """Excess of a labelled row in the mean, in the metric's unit."""
        return self.excess / self.labels if self.labels else 0.0

    @property
    def per_day(self) -> float:
        """Excess of a day, in the metric's unit times labelled rows."""
        return self.excess / self.days if self.days else 0.0


def add_up(metric: str, spent: Iterable[Spent], *, waiting: int = 0) -> Burn:
    """Add up the loss of windows, each weighed by its labels.

    The rate is that of a service level's error budget: what was spent over what may be. For a
    metric that is no mean over rows, such as ROC AUC, a window's value stands for each of its rows.

    References
    ----------
    Beyer, B., Murphy, N. R., Rensin, D. K., Kawahara, K. & Thorne, S. (2018). The Site Reliability
    Workbook. O'Reilly, chapter 5, "Alerting on SLOs".

    Examples
    --------
    A reference of 0.40 with a tolerance of 0.04; two days of 100 rows at 0.50 and 0.46:

    >>> from datetime import UTC, datetime, timedelta
    >>> def day(number, loss):
    ...     start = datetime(2013, 6, number, tzinfo=UTC)
    ...     return Spent(window=Window(start=start, end=start + timedelta(days=1)), labels=100,
    ...         beyond=loss - 0.44, effect=(loss - 0.40) / 0.04)
    >>> burn = add_up("log_loss", [day(1, 0.50), day(2, 0.46)])
    >>> round(burn.excess, 6), round(burn.per_day, 6), round(burn.per_row, 6), round(burn.rate, 6)
    (8.0, 4.0, 0.04, 2.0)
    """
    counted = list(spent)
    labels = sum(each.labels for each in counted)
    if not labels:
        return Burn(metric=metric, windows=0, waiting=waiting)
    # Two versions may have answered in one window; its time passed once.
    windows = {each.window for each in counted}
    return Burn(
        metric=metric,
        windows=len(windows),
        waiting=waiting,
        labels=labels,
        days=sum((window.end - window.start) / DAY for window in windows),
        excess=max(0.0, sum(each.beyond * each.labels for each in counted)),
        rate=sum(each.effect * each.labels for each in counted) / labels,
    )
