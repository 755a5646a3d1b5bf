"""Pictures of measured performance: intervals, evidence of decay, and the delay to a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import altair as alt
import numpy as np
from scipy.special import expit

from drawings.picture import COLOURS, Picture, level, lines, percent, points, shade, sized
from monitor.budget import Budget, back_test
from monitor.detection.arming import arm, history_of
from monitor.detection.detector import Detector, State, advance
from monitor.detection.past import Past
from monitor.performance import from_rows
from monitor.performance.interval import measure
from monitor.performance.outcomes import Outcomes
from monitor.performance.table import METRICS
from reports.charts import draw
from reports.charts.palette import CRITICAL, MUTED, SERIES
from watchkeeper.model_settings import ModelSettings

_START = datetime(2024, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_ROWS = 500
_REFERENCE, _LIVE, _BROKEN = 60, 60, 20
SETTINGS = ModelSettings.model_validate(
    {
        "model": "example",
        "task": "binary",
        "owner": {"name": "Nobody"},
        "timestamp": "at",
        "prediction": {"score": "score"},
        "label": {"column": "label", "delay": "1d"},
        "windows": {"size": "1d"},
        "tolerance": {"metric": "roc_auc", "drop": 0.02},
    }
)


def intervals() -> Picture:
    """Intervals for a metric whose rows come in storms, by rows and by days."""
    generator = np.random.default_rng(8)
    runs, days, per_day = 400, 14, 60
    # An hour of storm: all rows of a bad day are worse together.
    rate = np.clip(0.2 + 0.1 * generator.normal(size=(runs, days)), 0.01, 0.99)
    wrong = generator.binomial(per_day, rate)
    true = float(np.clip(0.2 + 0.1 * generator.normal(size=200_000), 0.01, 0.99).mean())
    rows, hits = [], {"rows": 0, "days": 0}
    for run in range(runs):
        blocks = [_errors(int(count), per_day) for count in wrong[run]]
        for name, units in (("rows", [Outcomes.stack(blocks).total()]), ("days", blocks)):
            found = measure(METRICS["mae"], units)
            assert found.lower is not None  # noqa: S101
            assert found.upper is not None  # noqa: S101
            held = found.lower <= true <= found.upper
            hits[name] += held
            if run < 40:
                rows.append(
                    {
                        "x": run + (0.25 if name == "days" else -0.25),
                        "low": found.lower,
                        "high": found.upper,
                        "name": f"{name} as units",
                        "colour": SERIES if held else CRITICAL,
                    }
                )
    chart = (
        draw.over(rows)
        .mark_rule(strokeWidth=3)
        .encode(
            x=alt.X("x:Q", title="repetition", axis=alt.Axis(grid=False)),
            y=alt.Y("low:Q", title="share of errors", scale=alt.Scale(domain=[0.05, 0.35])),
            y2="high:Q",
            color=alt.Color("colour:N", scale=None),
        )
    )
    panels = [
        (
            chart.transform_filter(f"datum.name == '{name} as units'")
            + level(true, "", at=0, colour=MUTED)
        ).properties(
            width=270,
            height=220,
            title=alt.Title(
                f"{name} as units: the truth is held in {percent(hits[name] / runs)}",
                color=MUTED,
                fontSize=12,
                fontWeight="normal",
            ),
        )
        for name in hits
    ]
    return Picture(
        chart=alt.hconcat(*panels),
        finding=(
            f"Forty of {runs} repetitions of two weeks with good and bad days. 95 % intervals that "
            f"take rows as units hold the truth in {percent(hits['rows'] / runs)} of all, those "
            f"that take days in {percent(hits['days'] / runs)}."
        ),
    )


def evidence() -> Picture:
    """A model that breaks, its metric, and the evidence against its limit."""
    trial = _trial(4)
    broken = _LIVE - _BROKEN
    state, shown, values, page = State(), [], [], None
    threshold = trial.detector.threshold
    limit = SETTINGS.tolerance.limit(trial.level)
    generator = np.random.default_rng(0)
    for day in range(_LIVE):
        tile = _window(generator, 1.0 if day < broken else 0.62)
        auc = float(METRICS["roc_auc"].value(tile))
        state, said = advance(
            state,
            trial.detector.evidence([tile], np.random.default_rng(day)),
            threshold=threshold,
            beyond=auc < limit,
            clear_windows=3,
        )
        shown.append({"x": day + 1, "y": auc})
        values.append({"x": day + 1, "y": said.value, "name": "evidence"})
        page = day + 1 if said.fresh and page is None else page
    x = alt.X("x:Q", title="day", axis=alt.Axis(grid=False), scale=alt.Scale(domain=[0, _LIVE]))
    y = alt.Y("y:Q", title="ROC AUC", scale=alt.Scale(zero=False))
    top = points(shown).encode(x=x, y=y)
    top = top + level(limit, "limit", at=0, above=False) + shade(broken, _LIVE, "broken")
    bottom = draw.over(values).mark_line(color=SERIES, strokeWidth=2)
    bottom = bottom.encode(x=x, y=alt.Y("y:Q", title="ln evidence"))
    bottom = bottom + level(float(np.log(threshold)), f"page at ln {threshold:.0f}", at=0)
    before = sum(row["y"] < limit for row in shown[:broken])
    return Picture(
        chart=alt.vconcat(sized(top, height=150), sized(bottom, height=120)),
        finding=(
            f"A model breaks on day {broken + 1}. In the {broken} quiet days before, its ROC AUC "
            f"fell below the limit on {before}, and none paged: the evidence stayed below ln "
            f"{threshold:.0f}. The page comes on day {page}."
        ),
    )


def delays() -> Picture:
    """How long harm of several sizes lasts until it pages."""
    sizes = (1.5, 2.0, 2.5, 3.0, 4.0)
    rows, said = [], []
    budget = None
    for allowed in (1, 4):
        settings = SETTINGS.model_copy(
            update={"alarm_budget": SETTINGS.alarm_budget.model_copy(update={"pages": allowed})}
        )
        trial = _trial(4, settings)
        budget = budget or trial.budget
        name = f"{allowed} page{'' if allowed == 1 else 's'} a quarter"
        found = [_delay(trial, size) for size in sizes]
        rows += [{"x": x, "y": y, "name": name} for x, y in zip(sizes, found, strict=True)]
        said.append(f"{name}: {found[1]:.0f} days at 2 times, {found[4]:.0f} at 4 times")
    colours = dict(zip(dict.fromkeys(row["name"] for row in rows), COLOURS, strict=False))
    chart = lines(
        rows,
        x="harm, in times the tolerance",
        y="median days to the page",
        colours=colours,
        nudge=(-7, 7),
    )
    assert budget is not None  # noqa: S101
    return Picture(
        chart=sized(chart),
        finding=(
            f"Median days until harm of so many times the tolerance pages: {'; '.join(said)}. "
            f"The service says of this model: “{budget.sentence}”."
        ),
    )


@dataclass(frozen=True)
class _Trial:
    detector: Detector
    level: float
    budget: Budget


def _trial(seed: int, settings: ModelSettings = SETTINGS) -> _Trial:
    generator = np.random.default_rng(seed)
    tiles = {_START + day * _DAY: _window(generator) for day in range(_REFERENCE)}
    past = Past.of(tiles, _DAY, settings.windows.timezone)
    value = float(METRICS["roc_auc"].value(Outcomes.stack(list(tiles.values())).total()))
    detector = arm(history_of(past, settings), settings, value)
    assert detector is not None  # noqa: S101
    return _Trial(detector, value, back_test(past, settings, value))


def _delay(trial: _Trial, harm: float) -> float:
    """Return the median number of windows from the start of a harm to its page."""
    generator = np.random.default_rng(int(10 * harm))
    limit = SETTINGS.tolerance.limit(trial.level)
    slope = _slope(trial.level - 0.02 * harm)
    taken = []
    for _ in range(21):
        state = State()
        day = 0
        while day < 90:
            day += 1
            tile = _window(generator, slope)
            state, said = advance(
                state,
                trial.detector.evidence([tile], generator),
                threshold=trial.detector.threshold,
                beyond=float(METRICS["roc_auc"].value(tile)) < limit,
                clear_windows=3,
            )
            if said.fresh:
                break
        taken.append(day)
    return float(np.median(taken))


@cache
def _slope(auc: float) -> float:
    """Return how much of the score's logit must hold for a ROC AUC."""
    low, high = 0.0, 1.5
    for _ in range(12):
        middle = (low + high) / 2
        tile = _window(np.random.default_rng(1), middle, rows=200_000)
        low, high = (middle, high) if float(METRICS["roc_auc"].value(tile)) < auc else (low, middle)
    return high


def _window(generator: np.random.Generator, slope: float = 1.0, rows: int = _ROWS) -> Outcomes:
    """Return a day of labelled rows whose scores say less of their labels the lower the slope."""
    at = generator.normal(-1, 1.2, rows)
    label = generator.random(rows) < expit(-1 + slope * (at + 1))
    score = expit(at)
    return from_rows.binary(label, score >= 0.5, score)


def _errors(wrong: int, rows: int) -> Outcomes:
    return from_rows.regression(np.arange(rows) < wrong, np.zeros(rows))
