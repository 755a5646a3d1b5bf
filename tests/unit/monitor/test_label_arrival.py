"""Labels that stop are said to; labels that are usually few, or come in batches, are not."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from monitor.evaluate import evaluate_window
from monitor.model import CheckResult, CheckStatus
from monitor.reference import Reference, profile_frame
from watchkeeper.window import Window

from .conftest import SETTINGS, START, arguments, flights

DAY = timedelta(days=1)
ALWAYS = [(400, 400)] * 10


def said_of(
    reference: Reference,
    labelled: float,
    before: list[tuple[int, int]],
    *,
    after: timedelta = 30 * DAY,
    frame: pd.DataFrame | None = None,
) -> CheckResult:
    day = flights(START, 1, seed=1) if frame is None else frame
    day["y_true"] = day.y_true.where(day.index < labelled * len(day))
    found = evaluate_window(
        Window(start=START, end=START + DAY),
        profile_frame(day, reference, **arguments(day)),  # type: ignore[arg-type]
        reference,
        SETTINGS,
        version=1,
        now=START + after,
        labels_before=before,
    )
    label = SETTINGS.label.column
    (result,) = [each for each in found.results if each.measurement.column == label]
    return result


def test_labels_that_stop_are_a_broken_contract(reference: Reference) -> None:
    found = said_of(reference, 0.0, ALWAYS)
    assert found.status is CheckStatus.CRITICAL
    assert found.reason == (
        "0 of 400 rows have a label though all have had their time, usually 100%"
    )
    assert said_of(reference, 0.4, ALWAYS).status is CheckStatus.WARNING
    assert said_of(reference, 0.9, ALWAYS).status is CheckStatus.OK


@pytest.mark.parametrize(
    ("labelled", "before"),
    [
        pytest.param(0.05, [(400, 20)] * 10, id="a sample is labelled"),
        pytest.param(0.0, [(400, 400), (400, 0)] * 6, id="in batches"),
        pytest.param(0.0, [(400, 0)] * 10, id="never"),
        pytest.param(0.0, [(400, 400)] * 7, id="too few windows"),
    ],
)
def test_what_is_usual_is_no_finding(
    reference: Reference, labelled: float, before: list[tuple[int, int]]
) -> None:
    status = said_of(reference, labelled, before).status
    assert status in {CheckStatus.OK, CheckStatus.INSUFFICIENT_DATA}


def test_labels_have_their_time_to_arrive(reference: Reference) -> None:
    found = said_of(reference, 0.0, ALWAYS, after=DAY)
    assert found.status is CheckStatus.INSUFFICIENT_DATA


def test_rows_without_a_prediction_do_not_want_a_label(reference: Reference) -> None:
    day = flights(START, 1, seed=1)
    answered = day.y_pred_proba.where(day.index < 200)
    found = said_of(reference, 0.5, ALWAYS, frame=day.assign(y_pred_proba=answered))
    assert found.status is CheckStatus.OK
