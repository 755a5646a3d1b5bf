"""Models are held against their fleet once their first windows are known."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from feeding import settings_of
from monitor.behind_fleet import compare
from watchkeeper.model_settings import ModelSettings

MODELS = [f"shop-{number}" for number in range(10)]
PAST = 28


@pytest.fixture
def settings() -> ModelSettings:
    return settings_of()


class Fleet:
    """Windows of ten models, taken in one after the other as the database keeps them."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.random = np.random.default_rng(5)
        self.stored: dict[str, Any] = {}
        self.versions = dict.fromkeys(MODELS, 1)

    def live(self, windows: int, harm: dict[str, float | None] | None = None) -> list[Any]:
        """Return what each window says; what all models do together varies most."""
        said = []
        for _ in range(windows):
            common, own = self.random.normal(0, 2), self.random.normal(0, 0.3, len(MODELS))
            harms: dict[str, tuple[int, float | None]] = {}
            for name, value in zip(MODELS, own, strict=True):
                more = (harm or {}).get(name, 0.0)
                known = None if more is None else common + value + more
                harms[name] = (self.versions[name], known)
            kept, told = compare(self.stored, harms, self.settings, run=90)
            self.stored = json.loads(json.dumps(kept))
            said.append(told)
        return said


def test_nothing_is_said_before_the_first_windows_are_known(settings: ModelSettings) -> None:
    fleet = Fleet(settings)
    assert fleet.live(PAST, {"shop-3": 9.0}) == [{}] * PAST
    assert {len(each["track"]["past"]) for each in fleet.stored.values()} == {PAST}


def test_a_model_that_falls_behind_is_told_and_told_to_be_back(settings: ModelSettings) -> None:
    fleet = Fleet(settings)
    fleet.live(PAST)
    said = fleet.live(4, {"shop-3": 1.6})
    assert said[0] == {}
    (first,) = [each["shop-3"] for each in said if each][:1]
    assert first["alarmed"]
    assert first["reason"].startswith("is behind the 9 other models with the same windows")
    assert 1.0 <= first["rise"] <= 2.2
    assert first["p_value"] <= 1 / 90
    assert {name for each in said for name in each} == {"shop-3"}
    after = fleet.live(3)
    assert [each["shop-3"]["alarmed"] for each in after] == [True, True, False]
    assert fleet.live(5) == [{}] * 5


def test_less_than_is_tolerated_is_never_told(settings: ModelSettings) -> None:
    fleet = Fleet(settings)
    fleet.live(PAST)
    assert fleet.live(20, {"shop-3": 0.7}) == [{}] * 20


def test_another_version_has_first_windows_of_its_own(settings: ModelSettings) -> None:
    fleet = Fleet(settings)
    fleet.live(PAST)
    assert fleet.live(4, {"shop-3": 3.0})[-1]["shop-3"]["alarmed"]
    fleet.versions["shop-3"] = 2
    (first, *others) = fleet.live(PAST, {"shop-3": 3.0})
    assert not first["shop-3"]["alarmed"]
    assert others == [{}] * (PAST - 1)
    assert fleet.live(3, {"shop-3": 5.0})[-1]["shop-3"]["alarmed"]


def test_a_model_without_values_stays_what_it_was(settings: ModelSettings) -> None:
    fleet = Fleet(settings)
    fleet.live(PAST)
    assert fleet.live(4, {"shop-3": 3.0})[-1]["shop-3"]["alarmed"]
    assert [each["shop-3"]["alarmed"] for each in fleet.live(5, {"shop-3": None})] == [True] * 5
    assert not fleet.live(3)[-1]["shop-3"]["alarmed"]


def test_with_few_models_that_have_values_nothing_is_said(settings: ModelSettings) -> None:
    fleet = Fleet(settings)
    fleet.live(PAST)
    without: dict[str, float | None] = dict.fromkeys(MODELS[:3])
    assert fleet.live(5, without | {"shop-5": 9.0}) == [{}] * 5
