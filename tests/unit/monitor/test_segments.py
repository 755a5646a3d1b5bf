"""What is broken or different in one segment alone is found there, as a warning."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from monitor.evaluate import evaluate_window
from monitor.model import CheckResult, CheckStatus, EvaluatedWindow, Family
from monitor.profiles.model import Profile
from monitor.reference import Reference, fit_reference, profile_frame
from monitor.segment_habits import segments_from_list, segments_to_list
from watchkeeper.window import Window

from .conftest import SETTINGS, START, arguments, flights

SLICED = SETTINGS.model_copy(update={"segments": ("carrier",)})
LEVELS = {"AA": 700.0, "B6": 1_000.0, "UA": 1_600.0}


def own_ways(frame: pd.DataFrame) -> pd.DataFrame:
    """Give each carrier distances and gusts of its own."""
    level = frame.carrier.map(LEVELS)
    noise = (frame.distance - 1_000) / 3
    return frame.assign(distance=level + noise, rain=level / 100 + noise / 50)


def given(frame: pd.DataFrame) -> dict[str, object]:
    return {**arguments(frame), "settings": SLICED}


@pytest.fixture(scope="module")
def sliced() -> Reference:
    frame = own_ways(flights(START - timedelta(days=30), 30, seed=0))
    return fit_reference(frame, **given(frame))  # type: ignore[arg-type]


def evaluated(
    frame: pd.DataFrame, known: Reference, now: datetime | None = None
) -> EvaluatedWindow:
    tiles = profile_frame(frame, known, **given(frame))  # type: ignore[arg-type]
    window = Window(start=START, end=START + timedelta(days=1))
    later = now or START + timedelta(days=2)
    return evaluate_window(window, tiles, known, SLICED, version=1, now=later)


def bad(found: EvaluatedWindow) -> dict[tuple[str, str | None], CheckResult]:
    wrong = {CheckStatus.WARNING, CheckStatus.CRITICAL}
    return {
        (r.check, r.measurement.segment): r
        for r in found.results
        if r.status in wrong and r.measurement.segment is not None
    }


def test_the_segments_of_a_tile_are_its_rows(sliced: Reference) -> None:
    frame = own_ways(flights(START, 1, seed=3))
    whole = Profile.merge(
        profile_frame(frame, sliced, **given(frame)).values(),  # type: ignore[arg-type]
        sliced.bins.layout,
    )
    counts = frame.carrier.value_counts()
    assert {key: part.rows for key, part in whole.segments.items()} == {
        ("carrier", name): counts[name] for name in ("AA", "B6", "UA")
    }
    assert sum(part.labels for part in whole.segments.values()) == whole.labels == 400
    again = Profile.from_bytes(whole.to_bytes(), sliced.bins.layout)
    assert again.segments.keys() == whole.segments.keys()
    assert again.segments["carrier", "UA"].rows == counts["UA"]


def test_a_window_is_the_same_with_and_without_segments(sliced: Reference) -> None:
    frame = own_ways(flights(START - timedelta(days=30), 30, seed=0))
    plain = fit_reference(frame, **arguments(frame))  # type: ignore[arg-type]
    assert (plain.profile.cells == sliced.profile.cells).all()
    np.testing.assert_allclose(plain.profile.moments, sliced.profile.moments, rtol=1e-9)


@pytest.mark.parametrize("seed", range(2, 8))
def test_a_usual_day_has_no_finding_in_any_segment(sliced: Reference, seed: int) -> None:
    assert bad(evaluated(own_ways(flights(START, 1, seed=seed)), sliced)) == {}


def test_nulls_in_one_segment_alone_are_found_there(sliced: Reference) -> None:
    frame = own_ways(flights(START, 1, seed=3))
    frame["wind"] = frame.wind.where(frame.carrier != "UA")
    found = bad(evaluated(frame, sliced))
    assert ("null_surge", "carrier=UA") in found
    assert found["null_surge", "carrier=UA"].status is CheckStatus.WARNING
    assert {segment for _, segment in found} == {"carrier=UA"}


def test_a_segment_with_the_values_of_all_rows_is_garbage_and_no_drift(sliced: Reference) -> None:
    frame = own_ways(flights(START, 1, seed=3))
    of_ua = (frame.carrier == "UA").to_numpy()
    rng = np.random.default_rng(0)
    for name in ("distance", "rain"):
        values = frame[name].to_numpy().copy()
        values[of_ua] = rng.permutation(values)[: of_ua.sum()]
        frame[name] = values
    found = bad(evaluated(frame, sliced))
    assert set(found) == {("swapped", "carrier=UA")}
    assert "distance, rain" in found["swapped", "carrier=UA"].reason


def test_drift_in_one_segment_is_a_warning_of_drift(sliced: Reference) -> None:
    frame = own_ways(flights(START, 1, seed=3))
    frame.loc[frame.carrier == "B6", "distance"] += 150
    found = bad(evaluated(frame, sliced))
    assert set(found) == {("drift", "carrier=B6")}
    assert found["drift", "carrier=B6"].family is Family.INPUT_DRIFT


def test_a_segment_that_the_model_fails_on_is_found(sliced: Reference) -> None:
    frame = own_ways(flights(START, 1, seed=3))
    wrong = (frame.carrier == "AA").to_numpy()
    frame["y_true"] = np.where(wrong, 1 - (frame.y_pred_proba > 0.4), frame.y_true).astype(float)
    found = bad(evaluated(frame, sliced))
    assert ("performance", "carrier=AA") in found
    assert {name for check, name in found if check == "performance"} == {"carrier=AA"}
    measured = [
        r.measurement.segment
        for r in evaluated(frame, sliced).of(Family.PERFORMANCE)
        if r.measurement.segment is not None
    ]
    assert measured == ["carrier=AA", "carrier=B6", "carrier=UA"]


def test_the_habits_of_segments_come_back_from_json(sliced: Reference) -> None:
    again = segments_from_list(segments_to_list(sliced.segments))
    assert again == dict(sliced.segments)
