"""A fleet's models are judged beside what they do together, and once for what lasts."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.detection.behind import Track, advance, behind_fleet

UNITS, WINDOW, WINDOWS = 300, 100, 40
ROOT = Path(__file__).parents[3]


def losses(seed: int, *, models: int = 30, common: float = 0.6) -> np.ndarray:
    """Autocorrelated losses that share a movement; models differ in level and scale."""
    rng = np.random.default_rng(seed)
    units = UNITS + WINDOWS * WINDOW
    drawn = np.sqrt(common) * rng.normal(size=units) + np.sqrt(1 - common) * rng.normal(
        size=(models, units)
    )
    for unit in range(1, units):
        drawn[:, unit] = 0.5 * drawn[:, unit - 1] + np.sqrt(0.75) * drawn[:, unit]
    losses_of: np.ndarray = (
        rng.uniform(1, 9, (models, 1)) + rng.uniform(0.1, 2, (models, 1)) * drawn
    )
    return losses_of


def alarms_of(values: np.ndarray, *, run: float = 90, least: float = 0.0) -> list[tuple[int, int]]:
    past = values[:, :UNITS]
    behind = behind_fleet((values - past.mean(1, keepdims=True)) / past.std(1, keepdims=True))
    tracks = [Track(past=tuple(each)) for each in behind[:, :UNITS].tolist()]
    found = []
    for number, start in enumerate(range(UNITS, values.shape[1], WINDOW)):
        tracks, said = advance(
            [Track.from_dict(json.loads(json.dumps(track.to_dict()))) for track in tracks],
            behind[:, start : start + WINDOW].mean(1),
            per_window=WINDOW,
            run=run,
            clear_windows=3,
            least=least,
        )
        found += [(model, number) for model, each in enumerate(said) if each.fresh]
    return found


def test_one_model_that_becomes_worse_alarms_once() -> None:
    values = losses(1)
    scale = values[3, :UNITS].std()
    values[3, UNITS + 10 * WINDOW :] += scale
    assert [(model, 10 <= number <= 13) for model, number in alarms_of(values)] == [(3, True)]


def test_what_comes_slowly_is_found() -> None:
    values = losses(4)
    slowly = np.linspace(0, 1.5, (WINDOWS - 5) * WINDOW)
    values[3, UNITS + 5 * WINDOW :] += values[3, :UNITS].std() * slowly
    assert [model for model, _ in alarms_of(values)] == [3]


def test_what_all_models_do_is_no_models_own() -> None:
    values = losses(2)
    values[:, UNITS + 10 * WINDOW :] += 2 * values[:, :UNITS].std(axis=1, keepdims=True)
    assert len(alarms_of(values)) <= 1


def test_less_than_is_tolerated_is_no_matter() -> None:
    values = losses(1)
    values[3, UNITS + 10 * WINDOW :] += values[3, :UNITS].std()
    assert alarms_of(values, least=2.0) == []


def test_an_alarm_can_come_again_once_it_is_over() -> None:
    values = losses(5)
    for start in (5, 25):
        values[3, UNITS + start * WINDOW : UNITS + (start + 8) * WINDOW] += values[3, :UNITS].std()
    numbers = [number for model, number in alarms_of(values) if model == 3]
    assert [5 <= numbers[0] <= 8, 25 <= numbers[1] <= 28, len(numbers)] == [True, True, 2]


def test_quiet_fleets_alarm_less_often_than_was_asked() -> None:
    found = sum(len(alarms_of(losses(seed, models=12), run=40)) for seed in range(100, 105))
    # Five fleets of 40 windows: five alarms are allowed.
    assert found <= 5


@pytest.mark.parametrize("models", [10, 100])
def test_windows_with_heavy_tails_alarm_less_often_than_was_asked(models: int) -> None:
    past, windows, fleets, found = 28, 90, 12, 0
    for seed in range(fleets):
        rng = np.random.default_rng(seed)
        own = rng.standard_t(4, size=(models, past + windows)) * rng.uniform(0.1, 1, (models, 1))
        behind = behind_fleet(own + 2 * rng.normal(size=past + windows))
        tracks = [Track(past=tuple(each)) for each in behind[:, :past].tolist()]
        for window in behind[:, past:].T:
            tracks, said = advance(tracks, window, run=windows, clear_windows=3)
            found += sum(each.fresh for each in said)
    # One alarm is allowed in each.
    assert found <= fleets


def test_a_model_without_losses_is_no_alarm_and_ends_none() -> None:
    values = losses(3)
    values[5, UNITS + 500 :] = np.nan
    values[6, UNITS + 5 * WINDOW :] += values[6, :UNITS].std()
    values[6, UNITS + 12 * WINDOW : UNITS + 20 * WINDOW] = np.nan
    assert [model for model, _ in alarms_of(values)] == [6]


def test_few_models_are_no_fleet() -> None:
    assert np.isnan(behind_fleet(np.ones((7, 3)))).all()


def test_a_past_that_never_varies_says_nothing_of_chance() -> None:
    tracks = [Track(past=(0.0,) * 30, recent=(0.0, 1.0))] * 9
    _, said = advance(tracks, np.full(9, 1.0), run=2, clear_windows=3)
    assert [each.alarmed for each in said] == [False] * 9
    assert said[0].rise == 1.0


def test_a_past_of_one_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two units"):
        advance([Track(past=(1.0,))], np.ones(1), run=9, clear_windows=3)


def test_the_benchmark_counts_late_and_repeated_alarms_as_false() -> None:
    suite = _benchmark()
    alarms = [(0, 500), (0, 900), (1, 2_400), (2, 300)]
    found = suite.score({0: 450, 1: 1_200}, alarms, windows=1_000)
    assert (found.found, found.alarms, found.f1) == (1, 4, 2 / 6)
    assert found.false_per_thousand == 3


def _benchmark() -> Any:
    path = ROOT / "benchmarks/driftfdr_suite.py"
    spec = importlib.util.spec_from_file_location("driftfdr_suite", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
