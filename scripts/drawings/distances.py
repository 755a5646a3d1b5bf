"""Pictures of distances between two tables, and of the chance that they are chance."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from drawings.picture import COLOURS, Picture, bars, level, lines, percent, sized
from monitor.edges import N_BINS, count, fit_numbers
from monitor.statistics.chi_square import chi_square_p_value
from monitor.statistics.homogeneity import Segment, homogeneity
from monitor.statistics.multiple_testing import benjamini_hochberg, holm
from monitor.statistics.table import STATISTICS
from reports.charts.palette import CRITICAL, MUTED, SERIES

_NAMES = {
    "psi": "PSI",
    "jensen_shannon": "Jensen–Shannon",
    "hellinger": "Hellinger",
    "kolmogorov_smirnov": "KS",
    "wasserstein": "Wasserstein",
    "l_infinity": "L∞",
}
_SIZES = ((100, 1000), (50, 50), (1000, 1000))
_COLUMNS = 1500
_LEVEL = 0.05


def shifts() -> Picture:
    """What a shift of a normal column is in each distance."""
    edges = norm.ppf(np.arange(1, N_BINS) / N_BINS)
    bounds = np.r_[-4.0, edges, 4.0]
    rows, reached = [], []
    places = np.linspace(0, 0.7, 36)
    for key, name in _NAMES.items():
        # Drawn once for both: for small changes they are the same line.
        shown = "Jensen–Shannon, Hellinger" if name == "Jensen–Shannon" else name
        values = [_distance(key, edges, bounds, shift) for shift in places]
        if name != "Hellinger":
            rows += [{"x": x, "y": y, "name": shown} for x, y in zip(places, values, strict=True)]
        reached.append(f"{name} {np.interp(0.1, values, places):.2f}")
    names = dict.fromkeys(row["name"] for row in rows)
    chart = lines(
        rows,
        x="shift of the mean, in standard deviations",
        y="distance",
        colours=dict(zip(names, COLOURS, strict=True)),
    )
    bound = level(0.1, "0.1", at=0.0, colour=MUTED)
    return Picture(
        chart=sized(chart + bound),
        finding=(
            "One change, six numbers: each distance reaches 0.1 at another shift of a normal "
            f"column. In standard deviations: {', '.join(reached)}."
        ),
    )


def _distance(key: str, edges: np.ndarray, bounds: np.ndarray, shift: float) -> float:
    reference, current = (
        np.diff(np.r_[0, norm.cdf(edges - moved), 1]) * 1e7 for moved in (0.0, shift)
    )
    return STATISTICS[key](reference, current, bounds)


def null_rates() -> Picture:
    """How often columns that did not change are called changed at 5 %."""
    plain, ours = "chi-square as in textbooks", "watchkeeper"
    rows, said = [], []
    for n, m in _SIZES:
        group = f"{n:,} against {m:,} rows"
        naive, exact = _rates(n, m)
        rows += [
            {"group": group, "name": plain, "value": naive, "text": percent(naive, 1)},
            {"group": group, "name": ours, "value": exact, "text": percent(exact, 1)},
        ]
        said.append(f"{group}: {percent(naive, 1)} and {percent(exact, 1)}")
    groups = [f"{n:,} against {m:,} rows" for n, m in _SIZES]
    chart = bars(
        rows,
        title="share of unchanged columns with p ≤ 0.05",
        colours={plain: MUTED, ours: SERIES},
        order=groups,
    )
    return Picture(
        chart=sized(chart, height=170),
        finding=(
            f"Of {_COLUMNS:,} unchanged columns a size, in bins at quantiles of the reference, "
            f"p ≤ 0.05 by the plain chi-square law and by the simulated one: {'; '.join(said)}. "
            "5 % is right."
        ),
    )


def _rates(n: int, m: int) -> tuple[float, float]:
    generator = np.random.default_rng(n + m)
    naive = exact = 0
    for _ in range(_COLUMNS):
        reference, current = generator.normal(size=n), generator.normal(size=m)
        bins = fit_numbers(reference)
        before, now = count(reference, bins.edges), count(current, bins.edges)
        naive += chi_square_p_value(before, now) <= _LEVEL
        tested = homogeneity([Segment(reference=before, current=now)], generator, draws=199)
        exact += tested.p_value <= _LEVEL
    return naive / _COLUMNS, exact / _COLUMNS


def many_columns() -> Picture:
    """The chance of any finding among columns that did not change."""
    generator = np.random.default_rng(5)
    numbers = (1, 2, 5, 10, 20, 50, 100)
    found: dict[str, list[float]] = {"not adjusted": [], "Benjamini–Hochberg": [], "Holm": []}
    for columns in numbers:
        p_values = generator.random((2000, columns))
        found["not adjusted"].append(float((p_values.min(axis=1) <= _LEVEL).mean()))
        for name, adjust in (("Benjamini–Hochberg", benjamini_hochberg), ("Holm", holm)):
            flagged = [np.nanmin(adjust(row)) <= _LEVEL for row in p_values]
            found[name].append(float(np.mean(flagged)))
    rows = [
        {"x": x, "y": y, "name": name}
        for name, values in found.items()
        for x, y in zip(numbers, values, strict=True)
    ]
    rows = [row for row in rows if row["name"] != "Holm"]
    chart = lines(
        rows,
        x="columns that did not change",
        y="chance that any is called changed",
        colours={"not adjusted": CRITICAL, "Benjamini–Hochberg": SERIES},
    )
    raw, adjusted, careful = (values[numbers.index(20)] for values in found.values())
    return Picture(
        chart=sized(chart),
        finding=(
            "At 5 % a column, with 20 columns that did not change, some column is called changed "
            f"in {percent(raw)} of windows without adjustment, in {percent(adjusted, 1)} after "
            f"Benjamini–Hochberg and in {percent(careful, 1)} after Holm (2,000 simulated windows)."
        ),
    )
