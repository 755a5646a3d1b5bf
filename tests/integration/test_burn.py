"""The burn of a loss is added up from stored measurements, over mature labels alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from monitor.burn import burn_since
from monitor.model import CheckResult, CheckStatus, EvaluatedWindow, Family, Measurement, Threshold
from monitor.repository import Measurements
from monitor.window_store import WindowRow
from watchkeeper.database import write
from watchkeeper.window import Window

FIRST = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LEVEL, TOLERANCE = 0.80, 0.02


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with write(engine) as session:
        yield session


def tell(
    session: Session,
    number: int,
    accuracy: float,
    *,
    mature: bool = True,
    version: int = 1,
    segment: str | None = None,
) -> None:
    """Store a day of 100 labelled rows that may lose 2 points against a level of 80 %."""
    window = Window(start=FIRST + number * DAY, end=FIRST + (number + 1) * DAY)
    measurement = Measurement(
        model="flights", version=version, metric="accuracy", window=window, value=accuracy,
        n_current=100, computed_at=window.end, segment=segment,
    )  # fmt: skip
    result = CheckResult(
        measurement=measurement,
        threshold=Threshold(method="tolerance", lower=LEVEL - TOLERANCE),
        family=Family.PERFORMANCE,
        check="performance",
        status=CheckStatus.OK if mature else CheckStatus.INSUFFICIENT_DATA,
        reason="",
        effect=(LEVEL - accuracy) / TOLERANCE if mature else None,
    )
    evaluated = EvaluatedWindow(
        model="flights", version=version, window=window, rows=100, labels=100,
        labels_mature=mature, evaluated_at=window.end, results=(result,),
    )  # fmt: skip
    if segment is None:
        row = WindowRow(
            model="flights", version=version, window_start=window.start, window_end=window.end,
            rows=100, labels=100, labels_mature=mature,
        )  # fmt: skip
        session.add(row)
    Measurements(session).replace(evaluated, first=True)


def test_only_windows_since_it_began_with_all_their_labels_count(session: Session) -> None:
    tell(session, 0, 0.10)
    tell(session, 1, 0.74)
    tell(session, 2, 0.70)
    tell(session, 3, 0.20, mature=False)
    tell(session, 4, 0.20, mature=False)

    burn = burn_since(session, "flights", FIRST + DAY)

    assert burn is not None
    assert (burn.metric, burn.windows, burn.waiting, burn.labels) == ("accuracy", 2, 2, 200)
    # 4 and 8 wrong answers more than tolerated.
    assert burn.excess == pytest.approx(12)
    assert burn.per_day == pytest.approx(6)
    assert burn.per_row == pytest.approx(0.06)
    assert burn.rate == pytest.approx((3 + 5) / 2)


def test_what_came_after_the_end_does_not_count(session: Session) -> None:
    tell(session, 0, 0.74)
    tell(session, 1, 0.10)

    burn = burn_since(session, "flights", FIRST, until=FIRST + DAY)

    assert burn is not None
    assert burn.windows == 1
    assert burn.excess == pytest.approx(4)


def test_two_versions_in_one_window_are_one_day(session: Session) -> None:
    tell(session, 0, 0.74)
    tell(session, 0, 0.70, version=2)

    burn = burn_since(session, "flights", FIRST)

    assert burn is not None
    assert (burn.windows, burn.days, burn.labels) == (1, 1.0, 200)


def test_gains_never_make_the_excess_negative(session: Session) -> None:
    tell(session, 0, 0.90)

    burn = burn_since(session, "flights", FIRST)

    assert burn is not None
    assert burn.excess == 0
    assert burn.rate == pytest.approx(-5)


def test_without_a_mature_window_nothing_is_said_of_the_rate(session: Session) -> None:
    tell(session, 0, 0.10, mature=False)

    burn = burn_since(session, "flights", FIRST)

    assert burn is not None
    assert (burn.windows, burn.waiting, burn.rate) == (0, 1, None)


def test_a_model_that_is_held_to_nothing_has_no_burn(session: Session) -> None:
    assert burn_since(session, "flights", FIRST) is None
