from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.model import IncidentState
from alerts.silences import Silences
from alerts.silencing import Silence
from alerts.sweep import sweep
from monitor.model import Family
from watchkeeper.database import read, write
from watchkeeper.errors import ConflictError, NotFoundError

S = IncidentState
FIRST = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def silence(**changes: Any) -> Silence:
    values: dict[str, Any] = {
        "reason": "the weather feed moves house",
        "author": "ada",
        "starts_at": FIRST,
        "until": FIRST + 5 * DAY,
    }
    return Silence(**values | changes)


def add(story: Any, **changes: Any) -> Silence:
    with write(story.engine) as session:
        return Silences(session).add(silence(**changes))


@pytest.mark.parametrize(
    ("matcher", "told"),
    [
        ({}, False),
        ({"model": "flights"}, False),
        ({"model": "fl*"}, False),
        ({"model": "trains"}, True),
        ({"family": Family.DATA_CONTRACT}, False),
        ({"family": Family.PERFORMANCE}, True),
        ({"column": "temp"}, False),
        ({"column": "dewp"}, True),
        ({"starts_at": FIRST + 2 * DAY}, True),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_silence_covers_what_it_names(flights: Any, matcher: Any, told: bool) -> None:
    add(flights, **matcher)
    flights.day(0, broken=("temp",))

    assert flights.incident(Family.DATA_CONTRACT).state is (S.OPEN if told else S.PENDING)
    assert bool(flights.deliveries()) is told


def test_what_still_fires_is_told_when_the_silence_is_over(flights: Any) -> None:
    add(flights, model="flights")
    for number in range(3):
        flights.day(number, broken=("temp",))
    models = {"flights": flights.settings}
    with write(flights.engine) as session:
        assert sweep(session, models, now=FIRST + 4 * DAY) == []
        (change,) = sweep(session, models, now=FIRST + 5 * DAY)

    assert change.after is S.OPEN


def test_what_cleared_in_the_meantime_is_told_to_nobody(flights: Any) -> None:
    add(flights)
    flights.day(0, broken=("temp",))
    flights.day(1)
    flights.day(2)

    assert flights.incident(Family.DATA_CONTRACT).state is S.DISCARDED
    assert flights.deliveries() == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_one_finding_outside_the_silence_speaks_for_all(flights: Any) -> None:
    add(flights, column="temp")
    flights.day(0, broken=("temp", "dewp"))

    assert flights.incident(Family.DATA_CONTRACT).state is S.OPEN


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_two_silences_may_cover_it_together(flights: Any) -> None:
    add(flights, column="temp")
    add(flights, column="dewp")
    flights.day(0, broken=("temp", "dewp"))

    assert flights.incident(Family.DATA_CONTRACT).state is S.PENDING


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_preview_shows_what_the_silence_would_cover(flights: Any) -> None:
    flights.day(0, broken=("temp", "dewp"))
    with read(flights.engine) as session:
        covered = Silences(session).preview(silence(column="t*"))

    assert [series.column for series in covered] == ["temp"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_silence_that_is_ended_holds_nothing_back(flights: Any) -> None:
    made = add(flights)
    with write(flights.engine) as session:
        Silences(session).end(made.id, now=FIRST + timedelta(hours=1))
        assert Silences(session).active(FIRST + timedelta(hours=1)) == []
    flights.day(0, broken=("temp",))

    assert flights.incident(Family.DATA_CONTRACT).state is S.OPEN


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"reason": "  "}, "needs a reason"),
        ({"until": FIRST}, "at most 30 days"),
        ({"until": FIRST + 31 * DAY}, "at most 30 days"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_silence_without_reason_or_end_is_refused(flights: Any, wrong: Any, problem: str) -> None:
    with pytest.raises(ConflictError, match=problem):
        add(flights, **wrong)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_there_is_nothing_to_end(flights: Any) -> None:
    with pytest.raises(NotFoundError, match="no silence '7'"), write(flights.engine) as session:
        Silences(session).end(7, now=FIRST)
