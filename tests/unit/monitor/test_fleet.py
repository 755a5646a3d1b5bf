"""A fleet's models are judged beside what they do together, and once for what lasts."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.detection.fleet import FleetState, advance_fleet, fit_fleet

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


def alarms_of(values: np.ndarray, *, run: float = 90) -> list[tuple[int, int]]:
    fleet = fit_fleet(values[:, :UNITS], per_window=WINDOW)
    state, found = FleetState(), []
    for number, start in enumerate(range(UNITS, values.shape[1], WINDOW)):
        window = values[:, start : start + WINDOW]
        state, said = advance_fleet(fleet, state, window, run=run, clear_windows=3)
        state = FleetState.from_dict(json.loads(json.dumps(state.to_dict())))
        found += [(int(stream), number) for stream in np.flatnonzero(said.fresh)]
    return found


def test_one_model_that_becomes_worse_alarms_once() -> None:
    values = losses(1)
    scale = values[3, :UNITS].std()
    values[3, UNITS + 10 * WINDOW :] += scale
    assert [(stream, 10 <= number <= 13) for stream, number in alarms_of(values)] == [(3, True)]


def test_what_all_models_do_is_said_of_the_fleet_alone() -> None:
    values = losses(2)
    values[:, UNITS + 10 * WINDOW :] += 2 * values[:, :UNITS].std(axis=1, keepdims=True)
    streams = [stream for stream, _ in alarms_of(values)]
    assert streams.count(len(values)) == 1
    assert len(streams) <= 2


def test_quiet_fleets_alarm_less_often_than_was_asked() -> None:
    found = sum(len(alarms_of(losses(seed, models=12), run=40)) for seed in range(100, 110))
    # Ten fleets of 40 windows: ten alarms are allowed.
    assert found <= 10


def test_a_model_without_losses_is_no_alarm() -> None:
    values = losses(3)
    values[5, UNITS + 500 :] = np.nan
    values[6] = np.nan
    assert alarms_of(values) == []


def test_a_reference_of_one_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two units"):
        fit_fleet(np.ones((3, 1)), per_window=1)


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
