"""What is quarantined, and which training sets are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.model import (
    CheckResult,
    CheckStatus,
    EvaluatedWindow,
    Family,
    Measurement,
    Threshold,
)
from retrain.gate import TrainingSet, broken_because, refuse_unfit
from watchkeeper.errors import TrainingError
from watchkeeper.schema import Task
from watchkeeper.window import Window

DAY = Window(start=datetime(2013, 6, 28, tzinfo=UTC), end=datetime(2013, 6, 29, tzinfo=UTC))
GOOD = TrainingSet(rows=1000, classes={"0": 750, "1": 250}, missing={"speed": 0.1, "wind": 1.0})


def result(family: Family, status: CheckStatus, column: str | None) -> CheckResult:
    return CheckResult(
        measurement=Measurement(
            model="flights",
            version=1,
            metric="null_share",
            column=column,
            window=DAY,
            value=1.0,
            n_current=400,
            computed_at=DAY.end + timedelta(hours=1),
        ),
        threshold=Threshold(method="constant"),
        family=family,
        check="null_surge",
        status=status,
        reason="…",
    )


def evaluated(*results: CheckResult) -> EvaluatedWindow:
    return EvaluatedWindow(
        model="flights",
        version=1,
        window=DAY,
        rows=400,
        labels=0,
        labels_mature=False,
        evaluated_at=DAY.end,
        results=results,
    )


def test_a_critical_break_of_the_data_contract_is_named_with_its_columns() -> None:
    broken = [
        result(Family.DATA_CONTRACT, CheckStatus.CRITICAL, column)
        for column in ("temperature", "wind", "rain", "pressure", "rain")
    ]

    reason = broken_because(evaluated(*broken))

    assert reason == "null_surge in temperature, wind, rain and 1 more"


@pytest.mark.parametrize(
    ("family", "status"),
    [
        (Family.DATA_CONTRACT, CheckStatus.WARNING),
        (Family.DATA_CONTRACT, CheckStatus.INSUFFICIENT_DATA),
        (Family.PERFORMANCE, CheckStatus.CRITICAL),
        (Family.INPUT_DRIFT, CheckStatus.CRITICAL),
    ],
)
def test_nothing_else_is_quarantined(family: Family, status: CheckStatus) -> None:
    assert broken_because(evaluated(result(family, status, "wind"))) is None


def test_a_check_of_the_whole_window_needs_no_column() -> None:
    whole = result(Family.DATA_CONTRACT, CheckStatus.CRITICAL, None)

    assert broken_because(evaluated(whole)) == "null_surge"


@pytest.mark.parametrize(
    ("current", "message"),
    [
        (replace(GOOD, rows=99), "99 rows to train on, expected at least 100"),
        (replace(GOOD, classes={"0": 1000, "1": 0}), "only the class 0 in the labels"),
        (replace(GOOD, classes={}), "only the class none in the labels"),
        (replace(GOOD, classes={"0": 960, "1": 40}), "4.0% of the labels are positive, 25.0%"),
        (replace(GOOD, missing={"speed": 1.0}), "no value at all in speed, there were before"),
    ],
)
def test_an_unfit_training_set_is_refused(current: TrainingSet, message: str) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        refuse_unfit(current, task=Task.BINARY, minimum=100, past=GOOD)
    assert caught.value.reason == "refused"


def test_a_fit_training_set_passes() -> None:
    refuse_unfit(GOOD, task=Task.BINARY, minimum=100, past=GOOD)
    numbers = replace(GOOD, classes={})
    refuse_unfit(numbers, task=Task.REGRESSION, minimum=100, past=numbers)
