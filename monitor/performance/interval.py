"""Performance with a 95 % interval, with tiles of time as the units that vary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from monitor.performance.outcomes import Outcomes
from monitor.performance.table import MeanOf, Metric

#: Two-sided level of every interval.
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Performance:
    """One metric over a set of labelled rows.

    Parameters
    ----------
    metric
        Name in the table of metrics.
    value, lower, upper
        The value and its 95 % interval; None where undefined.
    labels
        Labelled rows behind it.
    clusters
        Tiles with labelled rows behind the interval.
    binning
        How far the value can be from that of the rows because scores are counted in bins; None
        where it is exact.
    """

    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    labels: int
    clusters: int
    binning: float | None = None


def measure(metric: Metric, tiles: Sequence[Outcomes]) -> Performance:
    """Compute a metric over all tiles, with a 95 % interval that respects their clustering.

    Rows of one tile (an hour, a day) share weather, traffic and batches and are no independent
    draws, so the tile is the unit. The standard error is that of the delete-one-tile jackknife
    (Efron & Stein 1981); for the mean of a per-row loss it is the linearised standard error of a
    ratio of tile sums (the ratio estimator of survey sampling; Cochran 1977, chapter 6), which the
    jackknife approximates. Student's t with one degree of freedom less than there are tiles makes
    the interval. With a single tile the rows of a mean-type loss are taken as independent; other
    metrics then have no interval.

    Parameters
    ----------
    tiles
        Outcomes of disjoint tiles of comparable length; those without labelled rows are ignored.

    Returns
    -------
    Performance
        With None for what is undefined: no labels, one class only, or too few tiles.

    References
    ----------
    Efron, B. & Stein, C. (1981). The jackknife estimate of variance. Annals of Statistics 9(3),
    586–596.
    Cochran, W. G. (1977). Sampling Techniques, 3rd edition. Wiley.

    Examples
    --------
    >>> from monitor.performance.from_rows import regression
    >>> from monitor.performance.table import METRICS
    >>> hours = [regression([1.0, 2.0], [1.0, 1.0]), regression([3.0, 4.0], [3.0, 2.0])]
    >>> measure(METRICS["mae"], hours).value
    0.75
    """
    labelled = [tile for tile in tiles if int(tile.rows) > 0]
    if not labelled:
        return Performance(
            metric=metric.name, value=None, lower=None, upper=None, labels=0, clusters=0
        )
    clusters = Outcomes.stack(labelled)
    total = clusters.total()
    value = float(metric.value(total))
    half = _half_width(metric, clusters, value)
    return Performance(
        metric=metric.name,
        value=_finite(value),
        lower=_finite(max(value - half, metric.bounds[0])),
        upper=_finite(min(value + half, metric.bounds[1])),
        labels=int(total.rows),
        clusters=len(labelled),
        binning=_finite(float(metric.binning(total))) if metric.binning else None,
    )


def _half_width(metric: Metric, clusters: Outcomes, value: float) -> float:
    """Return half the width of the interval, NaN where it is unknown."""
    k = len(clusters.counts)
    if metric.mean_of is not None:
        if k == 1:
            return _half_width_of_rows(metric.mean_of, clusters.total(), value)
        rows = metric.mean_of.rows_of(clusters)
        if not rows.any():
            return math.nan
        residuals = clusters.sum_of(metric.mean_of.loss) - value * rows
        variance = k / (k - 1) * float((residuals**2).sum()) / float(rows.sum()) ** 2
    elif k == 1:
        return math.nan
    else:
        left_out = metric.value(clusters.without_each())
        variance = (k - 1) / k * float(((left_out - left_out.mean()) ** 2).sum())
    return float(stdtrit(k - 1, (1 + LEVEL) / 2)) * math.sqrt(variance)


def _half_width_of_rows(mean: MeanOf, total: Outcomes, value: float) -> float:
    size = float(mean.rows_of(total))
    rows = size if mean.product is None else float(total.rows)
    if rows < 2 or size <= 0:
        return math.nan
    spread = max(mean.spread_of(total, value), 0.0) * rows / (rows - 1)
    return float(stdtrit(rows - 1, (1 + LEVEL) / 2)) * math.sqrt(spread) / size


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
