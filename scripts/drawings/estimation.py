"""Pictures of performance that is estimated before labels arrive."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from drawings.picture import Picture, percent, shade, sized
from monitor.estimation.binary import fit_binary
from monitor.estimation.model import Estimate, Expectation
from monitor.estimation.trust import Checked, distrust
from monitor.performance import from_rows
from monitor.performance.outcomes import Outcomes
from monitor.performance.scores import BINS, bin_of
from monitor.performance.table import METRICS
from reports.charts import draw
from reports.charts.palette import CRITICAL, MUTED, SERIES

_DAYS, _ROWS = 60, 1500
_SHIFTED, _CHANGED = 20, 40
_TOLERATED = 0.02


def estimate() -> Picture:
    """Estimated and realised ROC AUC over a change of the inputs and a change of the concept."""
    generator = np.random.default_rng(21)
    estimator = fit_binary(_outcomes(*_rows(generator, rows=40_000)))
    assert estimator is not None  # noqa: S101
    rows, checked, distrusted = [], [], None
    for day in range(_DAYS):
        spread = 1.4 if day < _SHIFTED else 0.9
        slope = 1.0 if day < _CHANGED else 0.6
        score, label = _rows(generator, spread=spread, slope=slope)
        found = _auc(estimator.expectations(_counted(score)))
        seen = float(METRICS["roc_auc"].value(_outcomes(score, label)))
        if distrust(checked, _TOLERATED, 0.0) and distrusted is None:
            distrusted = day
        low, high = found.lower or 0.0, found.upper or 0.0
        value = found.value or 0.0
        checked.insert(0, Checked(error=value - seen, lower=value - high, upper=value - low))
        rows.append({"x": day + 1, "y": seen, "value": value, "low": low, "high": high})
    held = [each.inside for each in reversed(checked)]
    x = alt.X("x:Q", title="day", axis=alt.Axis(grid=False), scale=alt.Scale(domain=[0, _DAYS]))
    y = alt.Y("y:Q", title="ROC AUC", scale=alt.Scale(zero=False))
    base = draw.over(rows).encode(x=x)
    band = base.mark_area(color=SERIES, opacity=0.16).encode(y=alt.Y("low:Q"), y2="high:Q")
    line = base.mark_line(color=SERIES, strokeDash=[5, 3], strokeWidth=2).encode(y="value:Q")
    real = base.mark_point(filled=True, size=26, color=MUTED, opacity=1).encode(y=y)
    shaded = shade(_SHIFTED, _CHANGED, "other inputs", colour=MUTED)
    broken = shade(_CHANGED, _DAYS, "other concept", colour=CRITICAL)
    assert distrusted is not None  # noqa: S101
    return Picture(
        chart=sized(shaded + broken + band + line + real),
        finding=(
            "Dashed: the ROC AUC that is estimated from scores alone, with its 95 % interval. "
            "Dots: what labels say later. The interval holds the dots in "
            f"{percent(np.mean(held[:_SHIFTED]))} of the first {_SHIFTED} days, in "
            f"{percent(np.mean(held[_SHIFTED:_CHANGED]))} while the inputs are others, and in "
            f"{percent(np.mean(held[_CHANGED:]))} after the concept has changed on day "
            f"{_CHANGED + 1}; from day {distrusted + 1} on it says itself that it is not trusted."
        ),
    )


def _rows(
    generator: np.random.Generator, *, spread: float = 1.4, slope: float = 1.0, rows: int = _ROWS
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    at = generator.normal(-0.5, spread, rows)
    # The model is too sure of itself, as most are; the calibration learns that.
    return expit(1.4 * at), generator.random(rows) < expit(slope * at)


def _outcomes(score: NDArray[np.float64], label: NDArray[np.bool_]) -> Outcomes:
    return from_rows.binary(label, score >= 0.5, score)


def _counted(score: NDArray[np.float64]) -> NDArray[np.int64]:
    guess = (score >= 0.5).astype(np.int64)
    return np.bincount(guess * BINS + bin_of(score), minlength=2 * BINS)


def _auc(expectations: Sequence[Expectation]) -> Estimate:
    (found,) = (each for each in expectations if each.metric == "roc_auc")
    return found.estimate(inflation=1.0, rows=_ROWS, outside=0.0)
