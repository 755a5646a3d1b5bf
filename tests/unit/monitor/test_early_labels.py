"""Labels that come early are looked at: they may not be like those that are still to come."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from monitor.early_labels import METRIC
from monitor.model import CheckResult, CheckStatus, EvaluatedWindow

from .conftest import START, Evaluate, flights

SOON = START + timedelta(hours=30)


def finding(evaluated: EvaluatedWindow) -> CheckResult | None:
    found = [r for r in evaluated.results if r.measurement.metric == METRIC]
    return found[0] if found else None


def test_labels_of_certain_rows_alone_are_not_like_the_rest(evaluate: Evaluate) -> None:
    day = flights(START, 1, seed=61)
    day.loc[day.y_pred_proba < day.y_pred_proba.median(), "y_true"] = np.nan
    found = finding(evaluate(day, now=SOON))
    assert found is not None
    assert found.status is CheckStatus.WARNING
    assert "200 labels that have arrived so far are not like the rest" in found.reason


def test_labels_that_come_at_random_are_like_the_rest(evaluate: Evaluate) -> None:
    warned = 0
    for seed in range(20):
        day = flights(START, 1, seed=70 + seed)
        day.loc[np.random.default_rng(seed).random(400) < 0.5, "y_true"] = np.nan
        found = finding(evaluate(day, now=SOON))
        assert found is not None
        warned += found.status is CheckStatus.WARNING
    assert warned <= 1


@pytest.mark.parametrize("share", [0.0, 0.05, 0.95, 1.0])
def test_nothing_is_said_of_too_few_labels_or_of_nearly_all(
    evaluate: Evaluate, share: float
) -> None:
    day = flights(START, 1, seed=62)
    day.loc[int(share * 400) :, "y_true"] = np.nan
    assert finding(evaluate(day, now=SOON)) is None
