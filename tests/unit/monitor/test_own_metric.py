"""What a function says of rows is summed like every metric: by tile, by segment, mergeable."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detection.detector import Detector
from monitor.detection.fitting import fit_detector, learn_history
from monitor.evaluate import evaluate_window
from monitor.model import CheckResult, CheckStatus, Family
from monitor.own_metric.child import values_of
from monitor.performance.interval import measure
from monitor.performance.metrics import weighted_mean
from monitor.performance.outcomes import OWN_SUMS, SUMS, Outcomes
from monitor.performance.table import metric_of
from monitor.profiles.model import Profile
from monitor.reference import Reference, fit_reference, profile_frame
from watchkeeper.errors import UsersCodeError
from watchkeeper.metric_function import MetricFunction
from watchkeeper.model_settings import ModelSettings
from watchkeeper.own_metrics import OwnMetrics
from watchkeeper.schema import Task
from watchkeeper.tolerance import Tolerance
from watchkeeper.window import Window

from .conftest import SETTINGS, START, arguments, flights

DAY = timedelta(days=1)
OWN = OwnMetrics(
    function=MetricFunction(metric="m.py:cost", home=Path("p"), higher_is_better=False)
)
CODE = """\
import numpy as np


def cost(rows):
    late = rows.y_true == 1
    told = rows.y_pred == 1
    cost = np.where(late & ~told, rows.distance, np.where(told & ~late, 100.0, 0.0))
    return np.where(rows.carrier == "UA", np.nan, cost), 1.0 + (rows.rain > 0)
"""


def expected_of(frame: pd.DataFrame) -> tuple[pd.Series[Any], pd.Series[Any]]:
    late, told = frame.y_true == 1, frame.y_pred_proba >= 0.5
    cost = frame.distance.where(late & ~told, 0.0).mask(told & ~late, 100.0)
    return cost.mask(frame.carrier == "UA"), 1.0 + (frame.rain > 0)


def tile_of(value: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]) -> Outcomes:
    sums = [value.sum(), weight.sum(), (value**2).sum(), (value * weight).sum(), (weight**2).sum()]
    return Outcomes(
        task=Task.REGRESSION,
        counts=np.array([value.size], dtype=np.int64),
        sums=np.array([*np.zeros(len(SUMS[Task.REGRESSION])), *sums]),
    )


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ModelSettings:
    home = tmp_path_factory.mktemp("project")
    (home / "metrics.py").write_text(CODE)
    written = SETTINGS.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    held = {"tolerance": {"metric": "metrics.py:cost", "rise": "20%"}, "segments": ["carrier"]}
    found = ModelSettings.model_validate(written | held)
    return found.model_copy(update={"tolerance": found.tolerance.within(home)})


@pytest.fixture(scope="module")
def costly(settings: ModelSettings) -> Reference:
    frame = flights(START - 30 * DAY, 30, seed=0)
    given_: dict[str, Any] = arguments(frame) | {"settings": settings}
    return fit_reference(frame, **given_)


def results(
    reference: Reference, frame: pd.DataFrame, settings: ModelSettings
) -> list[CheckResult]:
    given_: dict[str, Any] = arguments(frame) | {"settings": settings}
    evaluated = evaluate_window(
        Window(start=START, end=START + DAY),
        profile_frame(frame, reference, **given_),
        reference,
        settings,
        version=1,
        now=START + 2 * DAY,
    )
    return [each for each in evaluated.of(Family.PERFORMANCE) if each.check == "performance"]


def test_a_day_is_held_to_what_the_function_says_of_its_rows(
    costly: Reference, settings: ModelSettings
) -> None:
    day = flights(START, 1, seed=41)
    day.loc[day.index[::7], "y_true"] = np.nan
    judged, *others = results(costly, day, settings)
    known = day[day.y_true.notna() & (day.carrier != "UA")]
    value, weight = expected_of(known)
    found = judged.measurement
    assert found.metric == "metrics.py:cost"
    assert found.value == pytest.approx(value.sum() / weight.sum())
    assert found.lower is not None
    assert found.upper is not None
    assert 0 <= found.lower < found.value < found.upper
    assert judged.reason.startswith("cost ")
    segments = {each.measurement.segment: each for each in others if each.measurement.segment}
    of = known[known.carrier == "AA"]
    value, weight = expected_of(of)
    assert segments.keys() == {"carrier=AA", "carrier=B6"}
    assert segments["carrier=AA"].measurement.value == pytest.approx(value.sum() / weight.sum())


def test_the_reference_has_the_ratio_of_all_its_rows(costly: Reference) -> None:
    frame = flights(START - 30 * DAY, 30, seed=0)
    value, weight = expected_of(frame[frame.carrier != "UA"])
    known = costly.performance["metrics.py:cost"]
    assert known.value == pytest.approx(value.sum() / weight.sum())


def test_harm_that_only_the_function_weighs_is_found(
    costly: Reference, settings: ModelSettings
) -> None:
    day = flights(START, 1, seed=42)
    far = (day.y_pred_proba < 0.5) & (day.y_true == 1)
    judged = results(costly, day.assign(distance=day.distance.where(~far, 2500.0)), settings)[0]
    assert judged.status is CheckStatus.CRITICAL
    assert "above its limit" in judged.reason


def test_a_reference_from_before_the_function_says_so(settings: ModelSettings) -> None:
    frame = flights(START - 30 * DAY, 30, seed=0)
    before = fit_reference(frame, **arguments(frame))  # type: ignore[arg-type]
    judged = results(before, flights(START, 1, seed=43), settings)[0]
    assert judged.status is CheckStatus.INSUFFICIENT_DATA
    assert judged.reason == "the reference has no cost"


def test_profiles_are_read_as_they_were_written(costly: Reference, settings: ModelSettings) -> None:
    given_: dict[str, Any] = arguments(flights(START, 1, seed=5)) | {"settings": settings}
    tiles = profile_frame(flights(START, 1, seed=5), costly, **given_)
    layout = costly.bins.layout
    assert layout.own
    for tile in tiles.values():
        again = Profile.from_bytes(tile.to_bytes(), layout)
        assert again.outcomes.sums.tolist() == tile.outcomes.sums.tolist()
        assert again.outcomes.sum_of("own_weight") > 0


floats = st.floats(-1e6, 1e6)
rows = st.lists(st.tuples(floats, st.floats(0.01, 100)), min_size=1, max_size=40)


@given(st.lists(rows, min_size=1, max_size=6))
def test_tiles_that_are_added_are_the_rows_together(tiles: list[list[tuple[float, float]]]) -> None:
    each = [tile_of(*np.array(tile).T) for tile in tiles]
    together = np.array([row for tile in tiles for row in tile]).T
    expected = together[0].sum() / together[1].sum()
    scale = np.abs(together[0]).sum() / together[1].sum()
    found = float(weighted_mean(Outcomes.stack(each).total()))
    assert found == pytest.approx(expected, abs=1e-9 * scale + 1e-12)


def test_its_interval_covers_the_ratio_that_rows_come_from() -> None:
    generator = np.random.default_rng(8)
    metric, covered, runs = metric_of("m.py:cost", OWN), 0, 1_000
    for _ in range(runs):
        tiles = []
        for _ in range(24):
            weight = generator.gamma(2.0, 1.0, 40)
            tiles.append(tile_of(3.0 * weight + generator.normal(0, 2, 40), weight))
        found = measure(metric, tiles)
        assert found.lower is not None
        assert found.upper is not None
        covered += found.lower <= 3.0 <= found.upper
    # 95 % of 1,000, with the 99.9 % bounds of a binomial count.
    assert 925 <= covered <= 972


def test_the_detector_bets_on_it_and_survives_being_stored() -> None:
    generator = np.random.default_rng(9)

    def day(mean: float) -> list[Outcomes]:
        return [
            tile_of(generator.normal(mean, 1, 50), generator.uniform(0.5, 1.5, 50))
            for _ in range(4)
        ]

    history = learn_history(
        [day(2.0) for _ in range(60)], metric="m.py:cost", per_window=1, per_day=1, own=OWN
    )
    detector = fit_detector(
        history,
        task=Task.REGRESSION,
        metric="m.py:cost",
        tolerance=Tolerance(metric="m.py:cost", rise="10%"),
        level=2.0,
        run=90.0,
        own=OWN,
    )
    assert detector is not None
    again = Detector.from_dict(json.loads(json.dumps(detector.to_dict())))
    assert again == detector
    assert again.level == pytest.approx(2.0, abs=0.05)
    assert again.evidence(day(2.0), generator).max() < 0
    assert again.evidence(day(3.0), generator).max() > 5


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (3.0, "a number for each of 2 rows, got float"),
        ([1.0], r"a number for each of 2 rows, got the shape \(1,\)"),
        (["a", "b"], "expected 2 numbers, got list"),
        (None, "a number for each of 2 rows, got NoneType"),
        ([1.0, np.inf], "expected finite numbers, got an infinite one"),
        (([1.0, 2.0], [1.0, -1.0]), "weights of 0 or more, got one below 0"),
        (([1.0, 2.0],) * 3, "expected values, or values and weights, got 3 things"),
    ],
)
def test_what_is_no_value_for_every_row_is_refused(answer: Any, problem: str) -> None:
    with pytest.raises(UsersCodeError, match=problem):
        values_of(lambda _: answer, pd.DataFrame({"y_true": [1.0, 2.0]}))


def test_a_row_without_a_value_has_no_weight_either() -> None:
    frame = pd.DataFrame({"y_true": [1.0, 2.0, 3.0]})
    value, weight = values_of(lambda _: ([1.0, np.nan, 3.0], [np.nan, 1.0, 2.0]), frame)
    assert np.isnan(value).tolist() == np.isnan(weight).tolist() == [True, True, False]


def test_a_function_cannot_change_the_rows_that_others_see() -> None:
    frame = pd.DataFrame({"y_true": [1.0, 2.0]})

    def greedy(rows: pd.DataFrame) -> Any:
        rows["y_true"] = 0.0
        return rows.y_true

    values_of(greedy, frame)
    assert frame.y_true.tolist() == [1.0, 2.0]


def test_every_sum_of_it_has_a_place() -> None:
    tile = tile_of(np.array([2.0, 3.0]), np.array([1.0, 4.0]))
    assert [float(tile.sum_of(name)) for name in OWN_SUMS] == [5.0, 5.0, 13.0, 14.0, 17.0]
