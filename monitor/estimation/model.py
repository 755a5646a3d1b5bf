"""What an estimate of performance says."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.performance.table import METRICS

#: Half the width of a two-sided 95 % interval, in standard errors.
Z = 1.959963984540054


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """One metric of a window, expected before its labels are known.

    Parameters
    ----------
    value
        Expected value of the metric on the window's own rows; None where undefined.
    lower, upper
        95 % interval for the metric that the labels of these rows will show.
    rows
        Rows behind it.
    outside
        Share of them that lies where the reference has nothing to say.
    """

    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    rows: int
    outside: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """The expected value of a metric and the variance of what the labels will show around it."""

    metric: str
    value: float
    variance: float

    def estimate(self, *, inflation: float, rows: int, outside: float) -> Estimate:
        """Return the estimate with its normal interval, cut at the metric's bounds.

        Parameters
        ----------
        inflation
            By how much real windows vary more than independent rows, at least 1.

        Examples
        --------
        >>> one = Expectation(metric="mae", value=1.0, variance=0.25)
        >>> found = one.estimate(inflation=1.0, rows=10, outside=0.0)
        >>> (round(found.lower, 2), round(found.upper, 2))
        (0.02, 1.98)
        """
        low, high = METRICS[self.metric].bounds
        known = math.isfinite(self.value) and math.isfinite(self.variance)
        half = Z * math.sqrt(max(inflation * self.variance, 0.0)) if known else 0.0
        return Estimate(
            metric=self.metric,
            value=self.value if math.isfinite(self.value) else None,
            lower=max(self.value - half, low) if known else None,
            upper=min(self.value + half, high) if known else None,
            rows=rows,
            outside=outside,
        )
