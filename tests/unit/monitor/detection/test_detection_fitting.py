"""The detector is fitted on how the windows of the reference vary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from monitor.detection.detector import Detector
from monitor.detection.fitting import History, fit_detector, learn_history
from monitor.detection.past import NOTHING, Past
from monitor.performance import from_rows
from monitor.performance.outcomes import Outcomes
from watchkeeper.schema import Task
from watchkeeper.tolerance import Tolerance

START = datetime(2013, 6, 3, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
UTC_ZONE = ZoneInfo("UTC")
TOLERANCE = Tolerance.model_validate({"metric": "accuracy", "drop": 0.03})


def day_of(wrong: int, rows: int = 400) -> Outcomes:
    return from_rows.binary(np.arange(rows) < wrong, np.zeros(rows))


def history_of(wrong: list[int], per_window: int = 1) -> History:
    units = [[day_of(number)] for number in wrong]
    return learn_history(units, metric="accuracy", per_window=per_window, per_day=1)


def fitted(wrong: list[int], run: float = 90.0) -> Detector:
    found = fit_detector(
        history_of(wrong),
        metric="accuracy",
        task=Task.BINARY,
        tolerance=TOLERANCE,
        level=1 - float(np.mean(wrong)) / 400,
        run=run,
    )
    assert found is not None
    return found


def test_the_limit_is_the_level_and_the_tolerance_and_what_the_reference_leaves_open() -> None:
    steady = fitted(np.random.default_rng(0).binomial(400, 0.2, 60).tolist())
    short = fitted(np.random.default_rng(0).binomial(400, 0.2, 10).tolist())
    assert steady.level + 0.03 < steady.limit < steady.level + 0.034
    assert short.limit - short.level > steady.limit - steady.level


def test_days_that_are_alike_in_themselves_make_it_slower() -> None:
    generator = np.random.default_rng(1)
    calm = fitted(generator.binomial(400, 0.2, 60).tolist())
    stormy = fitted(
        generator.binomial(400, np.clip(generator.normal(0.2, 0.06, 60), 0, 1)).tolist()
    )
    assert max(calm.dispersion) < 2
    assert min(stormy.dispersion) > 4
    harm = [day_of(120)]
    assert stormy.evidence(harm, generator).max() < calm.evidence(harm, generator).max() / 3


def test_weeks_that_are_alike_count_for_small_harms_most() -> None:
    generator = np.random.default_rng(2)
    wave = 0.2 + 0.06 * np.sin(np.arange(120) / 5)
    smallest, _, largest = fitted(generator.binomial(400, wave).tolist()).dispersion
    assert smallest > 2 * largest


def test_a_budget_that_asks_for_no_wait_still_takes_evidence() -> None:
    assert fitted([80] * 20, run=0.1).threshold == 2.0


def test_too_short_a_reference_has_no_detector() -> None:
    history = history_of([80] * 7)
    options = {"metric": "accuracy", "task": Task.BINARY, "tolerance": TOLERANCE}
    assert fit_detector(history, level=0.8, run=90.0, **options) is None  # type: ignore[arg-type]


def hours(days: int) -> dict[datetime, Outcomes]:
    return {START + number * HOUR: day_of(4, 20) for number in range(24 * days)}


@pytest.mark.parametrize(
    ("size", "days", "length", "units"),
    [
        (DAY, 30, DAY, 30),
        (7 * DAY, 30, DAY, 30),
        (6 * HOUR, 30, 6 * HOUR, 120),
        (DAY, 5, 12 * HOUR, 10),
        (DAY, 1, 3 * HOUR, 8),
        (HOUR, 0, HOUR, 0),
    ],
)
def test_its_units_are_windows_or_days_or_parts_of_them_where_there_are_few(
    size: timedelta, days: int, length: timedelta, units: int
) -> None:
    past = Past.of(hours(days), size, UTC_ZONE)
    assert (past.length, len(past.units)) == (length, units)


def test_a_past_is_kept_in_few_bytes() -> None:
    generator = np.random.default_rng(0)
    tiles = {}
    for number in range(24 * 20):
        score = generator.beta(2, 5, 50)
        truth = generator.random(50) < score
        tiles[START + number * HOUR] = from_rows.binary(truth, score > 0.5, score)
    past = Past.of(tiles, DAY, UTC_ZONE)
    again = Past.from_bytes(past.to_bytes())
    assert len(past.to_bytes()) < 3 * 24 * 20 * 50
    assert again.length == past.length
    for (one,), (other,) in zip(past.units, again.units, strict=True):
        assert one.counts.tolist() == other.counts.tolist()
        assert one.sums.tolist() == other.sums.tolist()
    assert Past.from_bytes(NOTHING.to_bytes()) == NOTHING
