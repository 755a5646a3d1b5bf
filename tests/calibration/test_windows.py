"""Windows that resemble their neighbours raise few false alarms, and fewer false incidents.

``WATCHKEEPER_CALIBRATION=5000`` simulates so many references a case.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal, stats

from alerts.policy import Rule
from alerts.rules import Judged, Judgement, Phase, step
from monitor.drift import ALPHA, ColumnDrift, compare_column, verdict_on
from monitor.edges import fit_numbers
from monitor.habits import Habit
from monitor.model import CheckStatus
from monitor.profiles.model import ColumnProfile
from monitor.statistics.multiple_testing import benjamini_hochberg
from monitor.variation import learn, shrink
from watchkeeper.schema import ColumnKind

REFERENCES = int(os.environ.get("WATCHKEEPER_CALIBRATION", "150"))
ROWS, CELLS = 400, 10
EDGES = stats.norm.ppf(np.arange(1, CELLS) / CELLS)
BINS = fit_numbers(stats.norm.ppf((np.arange(5_000) + 0.5) / 5_000))
RULE = Rule(fire=2, of=3, clear_windows=3)

Counts = NDArray[np.int64]


def windows_of(
    generator: np.random.Generator, columns: int, windows: int, *, persistence: float, spread: float
) -> Counts:
    """Draw rows per bin, shape (columns, windows, bins), of levels that are an AR(1) series."""
    shock = generator.normal(size=(columns, windows + 50)) * np.sqrt(1 - persistence**2)
    level = spread * signal.lfilter([1.0], [1.0, -persistence], shock, axis=1)[:, 50:]
    below = stats.norm.cdf(EDGES - level[..., None])
    shares = np.diff(below, axis=-1, prepend=0.0, append=1.0)
    return generator.multinomial(ROWS, shares)


def column_of(name: str, counts: Counts) -> ColumnProfile:
    return ColumnProfile(
        name=name,
        kind=ColumnKind.NUMERICAL,
        counts=counts,
        rows=int(counts.sum()),
        total=0.0,
        total_of_squares=0.0,
        minimum=0.0,
        maximum=1.0,
        null=0,
        nan=0,
        infinite=0,
        under=0,
        over=0,
        far=0,
        zeros=0,
    )


def drifts(counts: Counts, reference: int) -> list[list[ColumnDrift]]:
    """Compare each window after the reference with it, column by column."""
    learned = shrink([learn(each[:reference]) for each in counts])
    habits = [Habit(variation=v, null_limit=0.0, constant_windows=0) for v in learned]
    known = [column_of(str(k), each[:reference].sum(axis=0)) for k, each in enumerate(counts)]
    found = []
    for window in range(reference, counts.shape[1]):
        compared = (
            compare_column(
                column_of(before.name, each[window]), before, BINS, habit, columns=len(known)
            )
            for before, each, habit in zip(known, counts, habits, strict=True)
        )
        found.append([drift for drift in compared if drift is not None])
    return found


@pytest.mark.parametrize(("windows", "limit"), [(10, 0.11), (30, 0.08), (60, 0.07)])
def test_autocorrelated_windows_are_rarely_called_different(windows: int, limit: float) -> None:
    generator = np.random.default_rng(windows)
    p_values = []
    for _ in range(REFERENCES):
        # The window is far enough away to be like any other.
        counts = windows_of(generator, 1, windows + 10, persistence=0.5, spread=0.2)
        far = np.delete(counts, slice(windows, -1), axis=1)
        p_values += [drift.p_value for (drift,) in drifts(far, windows)]
    alarms = int((np.array(p_values) <= ALPHA).sum())
    lowest = stats.beta.ppf(0.001, alarms, len(p_values) - alarms + 1) if alarms else 0.0
    assert lowest <= limit, alarms / len(p_values)


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.5])
def test_a_wide_table_opens_few_false_incidents(spread: float) -> None:
    """Fifty columns, a window each day: incidents that open within 1,000 quiet windows."""
    generator = np.random.default_rng(3)
    opened = judged = 0
    for _ in range(max(REFERENCES // 40, 3)):
        counts = windows_of(generator, 50, 30 + 60, persistence=0.5, spread=spread)
        phases = [Phase() for _ in counts]
        for number, found in enumerate(drifts(counts, 30)):
            adjusted = benjamini_hochberg([drift.p_value for drift in found])
            judged += 1
            quiet = not any(phase.firing for phase in phases)
            phases = [
                step(phase, judgement(drift, float(p), number), RULE)
                for phase, drift, p in zip(phases, found, adjusted, strict=True)
            ]
            opened += quiet and any(phase.firing for phase in phases)
    assert 1_000 * opened / judged <= 10, (opened, judged)


def judgement(drift: ColumnDrift, adjusted: float, number: int) -> Judged:
    said = verdict_on(drift, adjusted)
    word = Judgement.BREACH if said is CheckStatus.CRITICAL else Judgement.CLEAR
    return Judged(start=datetime(2013, 1, 1, tzinfo=UTC) + timedelta(days=number), judgement=word)
