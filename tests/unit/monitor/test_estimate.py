"""An estimate is shown with its doubts, checked by labels, and alerts nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from alerts.follow import follow
from alerts.policy import AlertPolicy
from monitor.estimate import CHECK, check_estimate
from monitor.estimation.estimator import Estimator
from monitor.estimation.trust import Checked
from monitor.model import CheckResult, CheckStatus, EvaluatedWindow, Family
from monitor.performance import from_rows
from monitor.profiles.model import Profile
from monitor.reference import Reference, fit_reference, profile_frame
from monitor.subject import Subject
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.tolerance import Tolerance
from watchkeeper.window import Window

from .conftest import SETTINGS, START, Evaluate, arguments, flights

SOON = START + timedelta(hours=30)


def estimates(evaluated: EvaluatedWindow) -> dict[str, CheckResult]:
    found = [result for result in evaluated.results if result.check == CHECK]
    return {result.measurement.metric: result for result in found}


def unlabelled(day: pd.DataFrame) -> pd.DataFrame:
    return day.assign(y_true=np.nan)


def test_a_day_without_any_label_is_estimated_from_its_scores(evaluate: Evaluate) -> None:
    day = flights(START, 1, seed=51)
    found = estimates(evaluate(unlabelled(day), now=SOON))["log_loss_estimated"]
    seen = from_rows.binary(day.y_true, day.y_pred_proba >= 0.5, day.y_pred_proba)
    realised = float(seen.sum_of("log_loss") / 400)
    assert found.status is CheckStatus.OK
    measured = found.measurement
    assert measured.lower is not None
    assert measured.upper is not None
    assert measured.lower < realised < measured.upper
    assert measured.n_current == 400


def test_labels_that_come_say_how_good_the_estimate_was(evaluate: Evaluate) -> None:
    found = estimates(evaluate(flights(START, 1, seed=52)))
    error = found["log_loss_estimate_error"]
    assert error.measurement.value is not None
    assert abs(error.measurement.value) < 0.05
    assert "inside its 95 % interval" in error.reason
    assert set(estimates(evaluate(flights(START, 1, seed=52), now=SOON - timedelta(hours=10)))) == {
        "log_loss_estimated"
    }


def test_a_shift_to_doubtful_scores_warns_before_labels_and_never_after(
    evaluate: Evaluate,
) -> None:
    day = flights(START, 1, seed=53)
    day["y_pred_proba"] = np.random.default_rng(0).uniform(0.4, 0.6, len(day))
    early = estimates(evaluate(unlabelled(day), now=SOON))["log_loss_estimated"]
    late = estimates(evaluate(unlabelled(day)))["log_loss_estimated"]
    assert (early.status, late.status) == (CheckStatus.WARNING, CheckStatus.OK)
    assert early.effect is not None
    assert early.effect > 1


def test_no_series_of_alerts_follows_an_estimate(evaluate: Evaluate) -> None:
    day = flights(START, 1, seed=54)
    day["y_pred_proba"] = np.random.default_rng(0).uniform(0.4, 0.6, len(day))
    evaluated = evaluate(unlabelled(day))
    only = replace(evaluated, results=tuple(estimates(evaluated).values()))
    worse = replace(
        only, results=tuple(replace(r, status=CheckStatus.CRITICAL) for r in only.results)
    )
    for each in (only, worse):
        followed = follow(
            {}, each, slot="production", families=tuple(Family), earlier={}, policy=AlertPolicy()
        )
        assert not followed.all
        assert not followed.judged


def checked(reference: Reference, past: list[Checked], day: pd.DataFrame) -> CheckResult:
    tiles = profile_frame(day, reference, **arguments(day))  # type: ignore[arg-type]
    profile = Profile.merge(tiles.values(), reference.bins.layout)
    window = Window(start=START, end=START + timedelta(days=1))
    subject = Subject(model="flights", version=1, window=window, now=SOON)
    return check_estimate(subject, profile, reference, SETTINGS.tolerance, past, mature=False)[0]


def test_a_run_of_misses_ends_the_trust(reference: Reference) -> None:
    miss, hit = (Checked(error=e, lower=-0.02, upper=0.02) for e in (-0.2, 0.01))
    day = unlabelled(flights(START, 1, seed=55))
    doubted = checked(reference, [miss] * 3, day)
    assert doubted.status is CheckStatus.INSUFFICIENT_DATA
    assert "not trusted: it missed 3 of the last 3" in doubted.reason
    assert checked(reference, [miss, hit, hit, hit], day).status is CheckStatus.OK


def test_rows_of_another_kind_end_the_trust(reference: Reference) -> None:
    day = unlabelled(flights(START, 1, seed=56))
    day["y_pred_proba"] = 1 - 1e-9
    found = checked(reference, [], day)
    assert found.status is CheckStatus.INSUFFICIENT_DATA
    assert "unlike any in the reference" in found.reason


@pytest.mark.parametrize(
    ("without", "why"),
    [("estimator", "the reference holds no calibration"), ("scores", "were not counted")],
)
def test_what_was_stored_before_estimates_existed_says_so(
    reference: Reference, without: str, why: str
) -> None:
    day = unlabelled(flights(START, 1, seed=57))
    tiles = profile_frame(day, reference, **arguments(day))  # type: ignore[arg-type]
    profile = Profile.merge(tiles.values(), reference.bins.layout)
    old = replace(reference, estimator=None) if without == "estimator" else reference
    seen = replace(profile, scores=None) if without == "scores" else profile
    window = Window(start=START, end=START + timedelta(days=1))
    subject = Subject(model="flights", version=1, window=window, now=SOON)
    (found,) = check_estimate(subject, seen, old, SETTINGS.tolerance, [], mature=False)
    assert found.status is CheckStatus.INSUFFICIENT_DATA
    assert why in found.reason


def test_the_reference_teaches_how_much_windows_vary(reference: Reference) -> None:
    assert reference.estimator is not None
    assert reference.estimator.inflation["log_loss"] < 2
    rng = np.random.default_rng(0)
    frame = flights(START - timedelta(days=30), 30, seed=58)
    mood = np.repeat(rng.normal(0, 0.15, 30), 400)
    frame["y_true"] = (rng.random(len(frame)) < np.clip(frame.y_pred_proba + mood, 0, 1)) * 1.0
    moody = fit_reference(frame, **arguments(frame))  # type: ignore[arg-type]
    assert moody.estimator is not None
    assert moody.estimator.inflation["accuracy"] > 5
    again = Estimator.from_dict(moody.estimator.to_dict())
    assert again.inflation == moody.estimator.inflation


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.REGRESSION])
def test_a_reference_of_every_task_has_an_estimator(task: Task) -> None:
    rng = np.random.default_rng(1)
    frame = flights(START - timedelta(days=10), 10, seed=59)
    classes = ("fog", "rain", "sun") if task is Task.MULTICLASS else ()
    schema = FeatureSchema(
        columns=(Column(name="wind", kind=ColumnKind.NUMERICAL),),
        target="y",
        task=task,
        classes=classes,
    )
    scores, tolerance = None, Tolerance(metric="mae", rise="5%")  # type: ignore[arg-type]
    if task is Task.MULTICLASS:
        tolerance = Tolerance(metric="accuracy", drop="5%")  # type: ignore[arg-type]
        scores = rng.dirichlet([1, 1, 1], len(frame))
        said: object = np.array(classes)[scores.argmax(axis=1)]
        truth: object = np.array(classes)[rng.integers(0, 3, len(frame))]
    else:
        said = rng.normal(100, 10, len(frame))
        truth = said + rng.normal(0, 5, len(frame))
    fitted = fit_reference(
        frame,
        schema=schema,
        settings=SETTINGS.model_copy(update={"task": task, "tolerance": tolerance}),
        timestamps=frame.timestamp,
        y_pred=said,
        y_pred_proba=scores,
        y_true=truth,
    )
    assert fitted.estimator is not None
    found = fitted.estimator.estimates(fitted.profile)
    assert len(found) == 3
    for each in found:
        known = fitted.performance[each.metric].value
        assert each.value == pytest.approx(known, rel=0.05)
        assert each.rows == len(frame)
