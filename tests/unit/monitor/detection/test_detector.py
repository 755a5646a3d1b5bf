"""The detector alarms on evidence, once, and lets go when as much evidence is lost again."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.detection.detector import HARMS, Detector, State, advance
from monitor.detection.simulation import draw_paths, runs
from monitor.performance import from_rows
from watchkeeper.schema import Task

RULES: dict[str, Any] = {"threshold": 90.0, "clear_windows": 3}


def gain(size: float) -> NDArray[np.float64]:
    return np.full(len(HARMS), size)


def detector(metric: str = "accuracy", limit: float = 0.25) -> Detector:
    return Detector(
        metric=metric,
        task=Task.BINARY,
        level=0.2,
        limit=limit,
        cap=math.inf,
        deviation=0.4,
        dispersion=(1.5, 1.2, 1.0),
        rows=400.0,
        threshold=90.0,
        windows=30,
    )


def test_a_quiet_window_cannot_alarm_whatever_came_before() -> None:
    state, said = advance(State(), gain(10.0), beyond=False, **RULES)
    assert not said.alarmed
    _, said = advance(state, gain(-1.0), beyond=None, **RULES)
    assert not said.alarmed
    _, said = advance(state, gain(-1.0), beyond=True, **RULES)
    assert (said.alarmed, said.fresh) == (True, True)


def test_evidence_of_many_windows_adds_up() -> None:
    state, alarms = State(), []
    for _ in range(6):
        state, said = advance(state, gain(1.0), beyond=True, **RULES)
        alarms.append(said.fresh)
    assert alarms == [False, False, False, False, True, False]


def test_an_alarm_ends_after_good_windows_that_cost_as_much_evidence() -> None:
    state, _ = advance(State(), gain(50.0), beyond=True, **RULES)
    lasted = []
    for _ in range(4):
        state, said = advance(state, gain(-1.3), beyond=False, **RULES)
        lasted.append(said.alarmed)
    assert lasted == [True, True, True, False]
    assert state == State()


def test_one_bad_window_starts_the_count_of_good_ones_again() -> None:
    state, _ = advance(State(), gain(50.0), beyond=True, **RULES)
    lasted = []
    for beyond in (False, False, True, False, None, False, False):
        state, said = advance(state, gain(-9.0), beyond=beyond, **RULES)
        lasted.append(said.alarmed)
    assert lasted == [True] * 6 + [False]


def test_an_alarm_survives_json() -> None:
    state, _ = advance(State(), gain(50.0), beyond=True, **RULES)
    assert State.from_dict(json.loads(json.dumps(state.to_dict()))) == state
    fitted = detector()
    assert Detector.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


def test_a_bet_is_fair_while_the_mean_loss_is_at_the_limit() -> None:
    generator = np.random.default_rng(5)
    fitted = detector()
    gained = []
    for wrong in generator.binomial(400, 0.25, 4000):
        truth = np.arange(400) < wrong
        tile = from_rows.binary(truth, np.zeros(400))
        gained.append(np.exp(fitted.evidence([tile], generator)))
    mean, error = np.mean(gained, axis=0), np.std(gained, axis=0) / math.sqrt(4000)
    assert (mean <= 1 + 3 * error).all()


def test_nothing_is_gained_where_there_are_no_labels() -> None:
    empty = from_rows.binary([], [])
    assert detector().evidence([empty], np.random.default_rng(0)).tolist() == [0.0] * len(HARMS)
    one_class = from_rows.binary([1, 1], [1, 1], [0.5, 0.6])
    found = detector("roc_auc").evidence([one_class], np.random.default_rng(0))
    assert found.tolist() == [0.0] * len(HARMS)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.5, 4.0))
def test_many_paths_at_once_follow_the_same_rules(seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    gained = generator.normal(0, scale, (4, 60, len(HARMS)))
    beyond = gained.mean(axis=2) + generator.normal(0, 1, (4, 60)) > 0
    pages, first = runs(gained, beyond, **RULES)
    for path in range(4):
        state, alarms = State(), []
        for window in range(60):
            state, said = advance(
                state, gained[path, window], beyond=bool(beyond[path, window]), **RULES
            )
            alarms += [window + 1] if said.fresh else []
        assert (len(alarms), alarms[0] if alarms else 0) == (pages[path], first[path])


def test_paths_go_on_to_the_next_window_for_a_block() -> None:
    drawn = draw_paths(np.random.default_rng(0), units=50, length=400, paths=20, block=7)
    steps = np.diff(drawn, axis=1) % 50
    assert (steps == 1).mean() == pytest.approx(1 - 1 / 7, abs=0.03)
    assert set(np.unique(drawn)) == set(range(50))
