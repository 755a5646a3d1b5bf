"""Pictures of windows against what windows usually do, and against which others."""

from __future__ import annotations

import altair as alt
import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from drawings.picture import COLOURS, Picture, level, lines, percent, points, shade, sized
from monitor.edges import count, fit_numbers
from monitor.statistics.chi_square import chi_square_p_value, pearson
from monitor.statistics.interval import psi_effect
from monitor.variation import Variation, learn
from reports.charts.palette import MUTED, SERIES

_ROWS = 400
_LEVEL = 0.05
Counts = NDArray[np.int64]


def natural_variation() -> Picture:
    """Quiet windows of a column with weather against two limits."""
    before, now = _weather(np.random.default_rng(11), 60), _weather(np.random.default_rng(17), 60)
    counts, later = _counted(before, now)
    whole, variation = counts.sum(axis=0), learn(counts)
    cells = len(whole)
    ratios = [float(pearson(whole, window)) / (cells - 1) for window in later]
    rows = [{"x": day + 1, "y": ratio} for day, ratio in enumerate(ratios)]
    plain = float(chdtri(cells - 1, _LEVEL)) / (cells - 1)
    learned = _limit(variation, cells, int(whole.sum()), _ROWS) / (cells - 1)
    rates = {windows: _rates(windows) for windows in (10, 30, 60)}
    said = ", ".join(
        f"{percent(learned, 1)} after {windows} windows" for windows, (_, learned) in rates.items()
    )
    base = points(rows, size=34)
    chart = base.encode(
        x=alt.X("x:Q", title="quiet day", axis=alt.Axis(grid=False)),
        y=alt.Y("y:Q", title="chi-square over its degrees of freedom"),
    )
    return Picture(
        chart=sized(
            chart
            + level(plain, "limit for independent rows", at=0)
            + level(learned, "limit learned from 60 days of the reference", at=0, colour=SERIES)
        ),
        finding=(
            "Sixty quiet days of a column with its own weather each day. Over 400 such columns, "
            f"{percent(rates[60][0])} of quiet days are beyond the 5 % limit for independent "
            f"rows. Beyond the learned limit are {said} of the reference."
        ),
    )


def references() -> Picture:
    """A slow drift as three references see it."""
    generator = np.random.default_rng(3)
    days = 150
    drift = np.clip(np.arange(days) - 60, 0, None) * 0.012
    values = generator.normal(
        drift[:, None] + 0.1 * generator.normal(size=(days, 1)), 1, (days, 400)
    )
    counts, _ = _counted(values, values[:1], fitted=28)
    rows = []
    for day in range(60, days):
        kinds = {
            "fixed, days 1–28": counts[:28],
            "trailing 28 days, gap of 7": counts[day - 35 : day - 7],
            "trailing 28 days, no gap": counts[day - 28 : day],
        }
        rows += [
            {"x": day, "y": _smooth(windows, counts, day), "name": name}
            for name, windows in kinds.items()
        ]
    colours = dict(zip([row["name"] for row in rows[:3]], COLOURS, strict=False))
    last = {row["name"]: row["y"] for row in rows[-3:]}
    chart = lines(rows, x="day", y="PSI beyond chance", colours=colours, nudge=(0, -8, 5))
    return Picture(
        chart=sized(chart + shade(60, 150, "drifts by 0.012 a day", colour=MUTED)),
        finding=(
            "A column that drifts slowly from day 60 on. In the end the week’s mean PSI is "
            + ", ".join(f"{value:.2f} against {name}" for name, value in last.items())
            + ": a trailing reference learns the drift, a gap slows that down."
        ),
    )


def _smooth(windows: Counts, counts: Counts, day: int) -> float:
    whole = windows.sum(axis=0)
    return float(np.mean([psi_effect(whole, counts[d]).effect for d in range(day - 6, day + 1)]))


def _weather(generator: np.random.Generator, days: int, memory: float = 0.5) -> NDArray[np.float64]:
    """Return rows of days whose common level is autocorrelated, shape ``(days, _ROWS)``."""
    level_of = np.empty(days)
    steps = generator.normal(size=days) * np.sqrt(1 - memory**2)
    level_of[0] = generator.normal()
    for day in range(1, days):
        level_of[day] = memory * level_of[day - 1] + steps[day]
    return 0.4 * level_of[:, None] + generator.normal(size=(days, _ROWS))


def _counted(
    before: NDArray[np.float64], now: NDArray[np.float64], fitted: int | None = None
) -> tuple[Counts, Counts]:
    edges = fit_numbers(before[:fitted].ravel(), n_bins=10).edges
    first, second = (
        np.array([count(window, edges) for window in windows]) for windows in (before, now)
    )
    return first, second


def _rates(windows: int) -> tuple[float, float]:
    """Return how often a quiet day is called drifted: by rows alone, and by learned variation."""
    plain = learned = 0
    for seed in range(400):
        generator = np.random.default_rng((windows, seed))
        # The judged day comes long after the reference, as most do.
        values = _weather(generator, windows + 20)
        counts, later = _counted(values[:windows], values[-1:])
        whole = counts.sum(axis=0)
        plain += chi_square_p_value(whole, later[0]) <= _LEVEL
        p_value = learn(counts).p_value(
            float(pearson(whole, later[0])),
            cells=len(whole),
            n_reference=int(whole.sum()),
            n_current=_ROWS,
        )
        learned += p_value <= _LEVEL
    return plain / 400, learned / 400


def _limit(variation: Variation, cells: int, n_reference: int, n_current: int) -> float:
    """Return the statistic at which the p-value is 5 %."""
    low, high = 0.0, 1e6
    for _ in range(60):
        middle = (low + high) / 2
        p_value = variation.p_value(
            middle, cells=cells, n_reference=n_reference, n_current=n_current
        )
        low, high = (middle, high) if p_value > _LEVEL else (low, middle)
    return high
