"""Evidence of decay is spent once for each window, whatever is looked at again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import Engine, select

from monitor.decay_store import DecayRow, DecayStates, Pasts, SpentWindowRow
from monitor.decay_watch import DecayWatch, budget_of
from monitor.detection.past import Past
from monitor.model import (
    DECAY,
    CheckResult,
    CheckStatus,
    EvaluatedWindow,
    Family,
    Measurement,
    Threshold,
)
from monitor.performance import from_rows
from monitor.performance.interval import measure
from monitor.performance.outcomes import Outcomes
from monitor.performance.table import METRICS
from monitor.profiles.bins import ProfileBins
from monitor.profiles.model import Profile
from monitor.reference import Reference
from monitor.reference_store import References
from watchkeeper.database import read, write
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import Task
from watchkeeper.window import Window

START = datetime(2013, 6, 3, tzinfo=UTC)
DAY = timedelta(days=1)
SETTINGS = ModelSettings.model_validate(
    {
        "model": "flights",
        "task": "binary",
        "owner": {"name": "Flight models on call"},
        "timestamp": "scheduled_at",
        "prediction": {"score": "y_pred_proba"},
        "label": {"column": "late", "delay": "1d"},
        "windows": {"size": "1d"},
        "tolerance": {"metric": "accuracy", "drop": 0.04},
    }
)
LIMIT = 0.76


def day_of(wrong: int, rows: int = 400) -> Outcomes:
    return from_rows.binary(np.arange(rows) < wrong, np.zeros(rows))


def store_reference(engine: Engine, version: int = 1) -> Reference:
    wrong = np.random.default_rng(0).binomial(400, 0.2, 60)
    days = {START - (60 - n) * DAY: day_of(int(k)) for n, k in enumerate(wrong)}
    bins = ProfileBins(columns={}, task=Task.BINARY, classes=("0", "1"))
    reference = Reference(
        bins=bins,
        profile=Profile.empty(bins.layout),
        start=START - 60 * DAY,
        end=START,
        performance={"accuracy": measure(METRICS["accuracy"], [day_of(80)])},
        habits={},
        past=Past.of(days, DAY, ZoneInfo("UTC")),
    )
    with write(engine) as session:
        return References(session).add("flights", version, reference, START)


def window_of(day: int, wrong: int, *, mature: bool = True, version: int = 1) -> EvaluatedWindow:
    window = Window(start=START + day * DAY, end=START + (day + 1) * DAY)
    judged = CheckResult(
        measurement=Measurement(
            model="flights",
            version=version,
            metric="accuracy",
            window=window,
            value=1 - wrong / 400,
            n_current=400,
            computed_at=window.end,
        ),
        threshold=Threshold(method="tolerance", lower=LIMIT),
        family=Family.PERFORMANCE,
        check="performance",
        status=CheckStatus.OK,
        reason="as told",
    )
    return EvaluatedWindow(
        model="flights",
        version=version,
        window=window,
        rows=400,
        labels=400,
        labels_mature=mature,
        evaluated_at=window.end + DAY,
        results=(judged,),
    )


def look(engine: Engine, reference: Reference, window: EvaluatedWindow, wrong: int) -> CheckResult:
    with write(engine) as session:
        watch = DecayWatch(session=session, settings=SETTINGS, reference=reference)
        found = watch.take_in(window, [day_of(wrong)])
    assert found is not None
    assert (found.check, found.measurement.metric) == (DECAY, "evidence")
    return found


def spend(
    engine: Engine, reference: Reference, wrong: list[int], version: int = 1
) -> list[CheckStatus]:
    found = []
    for day, number in enumerate(wrong):
        window = window_of(day, number, version=version)
        found.append(look(engine, reference, window, number).status)
    return found


def evidence(engine: Engine, version: int = 1) -> list[float]:
    with write(engine) as session:
        row = DecayStates(session).lock("flights", version)
        assert row is not None
        return list(row.state["evidence"])


def test_it_alarms_within_two_bad_windows_and_until_they_are_good_again(engine: Engine) -> None:
    reference = store_reference(engine)
    said = spend(engine, reference, [80, 85, 75, 130, 130, 80, 80, 80, 80])
    ok, critical = CheckStatus.OK, CheckStatus.CRITICAL
    assert said == [ok] * 3 + [said[3]] + [critical] * 3 + [ok] * 2


def test_a_window_is_spent_once_and_says_the_same_ever_after(engine: Engine) -> None:
    reference = store_reference(engine)
    spend(engine, reference, [80, 80, 130])
    before = evidence(engine)
    first = look(engine, reference, window_of(2, 200), 200)
    again = look(engine, reference, window_of(2, 80), 80)
    assert first.measurement.value == again.measurement.value
    assert first.reason == again.reason
    assert evidence(engine) == before
    with read(engine) as session:
        assert len(session.scalars(select(SpentWindowRow)).all()) == 3


def test_labels_that_are_still_coming_are_not_spent(engine: Engine) -> None:
    reference = store_reference(engine)
    early = look(engine, reference, window_of(0, 200, mature=False), 200)
    assert (early.status, early.measurement.value) == (CheckStatus.INSUFFICIENT_DATA, None)
    with read(engine) as session:
        assert session.scalars(select(DecayRow)).all() == []
    look(engine, reference, window_of(0, 80), 80)
    assert evidence(engine) != [0.0] * 3


def test_a_transaction_that_fails_spends_nothing(engine: Engine) -> None:
    reference = store_reference(engine)
    spend(engine, reference, [80])
    before = evidence(engine)

    def fail() -> None:
        with write(engine) as session:
            watch = DecayWatch(session=session, settings=SETTINGS, reference=reference)
            watch.take_in(window_of(1, 200), [day_of(200)])
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail()
    assert evidence(engine) == before


def test_a_new_version_starts_anew(engine: Engine) -> None:
    first, second = store_reference(engine), store_reference(engine, version=2)
    spend(engine, first, [130] * 4)
    assert spend(engine, second, [80], version=2) == [CheckStatus.OK]
    assert max(evidence(engine, 2)) < 1 < max(evidence(engine, 1))


def test_two_workers_spend_each_window_once(engine: Engine) -> None:
    reference = store_reference(engine)
    windows = [window_of(day, 80 + day) for day in range(12)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda w: look(engine, reference, w, 80), windows))
    with read(engine) as session:
        assert len(session.scalars(select(SpentWindowRow)).all()) == 12


def test_other_settings_start_anew(engine: Engine) -> None:
    reference = store_reference(engine)
    spend(engine, reference, [130] * 3)
    looser = SETTINGS.model_copy(
        update={"alarm_budget": SETTINGS.alarm_budget.model_copy(update={"pages": 9})}
    )
    with write(engine) as session:
        watch = DecayWatch(session=session, settings=looser, reference=reference)
        found = watch.take_in(window_of(3, 80), [day_of(80)])
    assert found is not None
    assert found.status is CheckStatus.OK
    assert found.threshold.upper == pytest.approx(np.log(10))


def test_a_reference_without_windows_of_labels_never_pages(engine: Engine) -> None:
    reference = store_reference(engine)
    with write(engine) as session:
        watch = DecayWatch(
            session=session,
            settings=SETTINGS,
            reference=Reference(
                bins=reference.bins,
                profile=reference.profile,
                start=reference.start,
                end=reference.end,
                performance={},
                habits={},
            ),
        )
        found = watch.take_in(window_of(0, 399), [day_of(399)])
    assert found is not None
    assert found.status is CheckStatus.INSUFFICIENT_DATA
    assert "too few windows" in found.reason


def test_the_budget_is_kept_with_the_reference(engine: Engine) -> None:
    reference = store_reference(engine)
    with write(engine) as session:
        found = budget_of(session, SETTINGS, reference)
        assert found.sentence.startswith("0 pages in 60 days: at most 4.5 a quarter (95 %)")
        assert Pasts(session).budget(reference.id or 0) == found


def test_a_fleet_raises_the_threshold_and_keeps_what_was_gathered(engine: Engine) -> None:
    reference = store_reference(engine)
    spend(engine, reference, [95, 100])
    budget = SETTINGS.alarm_budget.shared_by(40)
    fleet = SETTINGS.model_copy(update={"alarm_budget": budget})

    def look_at_a_good_day(version: int, reference: Reference) -> tuple[str, float, list[float]]:
        with write(engine) as session:
            watch = DecayWatch(session=session, settings=fleet, reference=reference)
            found = watch.take_in(window_of(2, 80, version=version), [day_of(80)])
            row = DecayStates(session).lock("flights", version)
            assert found is not None
            assert row is not None
            assert row.detector is not None
            return found.reason, row.detector["threshold"], list(row.state["evidence"])

    said, threshold, kept = look_at_a_good_day(1, reference)
    _, same, anew = look_at_a_good_day(2, store_reference(engine, version=2))
    assert "1 page a quarter over 40 models" in said
    assert threshold == same == pytest.approx(40 * 90)
    assert max(kept) > 2 * max(anew), (kept, anew)


def test_the_simulated_pages_of_a_fleet_are_within_its_budget(engine: Engine) -> None:
    reference = store_reference(engine)
    fleet = SETTINGS.model_copy(update={"alarm_budget": SETTINGS.alarm_budget.shared_by(20)})
    with write(engine) as session:
        alone = budget_of(session, SETTINGS, reference)
        shared = budget_of(session, fleet, reference)
    assert alone.expected is not None
    assert shared.expected is not None
    assert shared.expected < alone.expected
    assert 20 * shared.expected <= 1
    assert shared.delay_median is not None
    assert alone.delay_median is not None
    assert shared.delay_median >= alone.delay_median
