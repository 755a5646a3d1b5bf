"""What a fleet does together is one stream: fair however alike its models are, and quicker."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detection.common import common_gain, common_harm
from monitor.detection.detector import State, advance

BETS = np.array([0.3, 0.6, 1.0])
gains = st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=1, max_size=12)


@given(gains, st.integers(0, 20))
def test_the_common_gain_is_the_mean_over_all_models(each: list[list[float]], absent: int) -> None:
    models = len(each) + absent
    units = np.exp(np.array(each))
    expected = np.log((units.sum(axis=0) + absent) / models)
    assert common_gain([np.array(gain) for gain in each], models) == pytest.approx(expected)


def test_the_middle_model_is_the_harm_of_the_fleet() -> None:
    assert common_harm([0.0, 9.0, 0.2]) == 0.2
    assert np.isnan(common_harm([float("nan")]))


def drawn(generator: np.random.Generator, models: int, *, harm: float = 0.0) -> list[np.ndarray]:
    """Return the logarithm of exact bets on normal losses that move together, by model."""
    common = np.sqrt(0.6) * generator.normal()
    z = common + np.sqrt(0.4) * generator.normal(size=models) + harm
    return list(np.outer(z, BETS) - BETS**2 / 2)


def windows_to_a_page(
    generator: np.random.Generator, models: int, *, harm: float, at_most: int = 400
) -> tuple[int, int]:
    """Return the windows until the fleet pages, and until the first of its models does."""
    fleet, each = State(), [State()] * models
    found = [at_most, at_most]
    for number in range(1, at_most + 1):
        gained = drawn(generator, models, harm=harm)
        rules = {"beyond": True, "clear_windows": 3}
        fleet, said = advance(fleet, common_gain(gained, models), threshold=180, **rules)  # type: ignore[arg-type]
        if said.fresh and found[0] == at_most:
            found[0] = number
        for model, gain in enumerate(gained):
            threshold = 180.0 * models
            each[model], said = advance(each[model], gain, threshold=threshold, **rules)  # type: ignore[arg-type]
            if said.fresh and found[1] == at_most:
                found[1] = number
        if max(found) < at_most:
            break
    return found[0], found[1]


def test_a_quiet_fleet_pages_within_its_budget_though_its_models_move_together() -> None:
    generator, pages, runs = np.random.default_rng(11), [], 600
    for _ in range(runs):
        state, found = State(), 0
        for _ in range(90):
            gained = common_gain(drawn(generator, 12), 12)
            state, said = advance(state, gained, threshold=90, beyond=True, clear_windows=1)
            found += said.fresh
        pages.append(found)
    error = np.std(pages) / runs**0.5
    assert 0 < np.mean(pages) + 1.645 * error <= 1.1


def test_common_harm_is_found_before_any_model_of_many_pages_by_itself() -> None:
    generator = np.random.default_rng(12)
    found = np.array([windows_to_a_page(generator, 40, harm=0.8) for _ in range(60)])
    together, first = np.median(found, axis=0)
    assert together <= 10
    assert together < first
