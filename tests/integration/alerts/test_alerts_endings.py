"""Incidents whose model is retired, or that were put off until another version serves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts import events
from alerts.model import IncidentState
from alerts.respond import snooze
from alerts.sweep import sweep
from monitor.model import Family
from watchkeeper.database import write

S = IncidentState
FIRST = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_what_concerned_only_a_model_that_is_no_longer_watched_is_over(
    flights: Any, tell: Callable[..., Any]
) -> None:
    trains = tell("trains", source={"table": "lake/*.parquet"})
    for number in (0, 1):
        flights.day(number, loss=2.0)
        trains.day(number, broken=("temp",))
    with write(flights.engine) as session:
        (change,) = sweep(session, {}, now=FIRST + 3 * DAY)

    assert (change.incident.model, change.after) == ("flights", S.RESOLVED)
    assert change.incident.standing.resolution == "the model is no longer watched"
    # A table that others read as well is as broken as before.
    assert {each.state for each in trains.incidents() if each.model == "trains"} == {S.OPEN}


def test_what_was_put_off_until_the_next_deploy_is_heard_of_then(flights: Any) -> None:
    flights.day(0, broken=("temp",))
    with write(flights.engine) as session:
        number = flights.incident(Family.DATA_CONTRACT).id
        snooze(session, number, "ada", now=FIRST + DAY, condition=events.NEXT_DEPLOY)
    flights.day(1, broken=("temp",))
    assert flights.incident(Family.DATA_CONTRACT).state is S.SNOOZED
    flights.day(2, broken=("temp",), version=2)

    assert flights.incident(Family.DATA_CONTRACT).state is S.OPEN
    said = [row.text for row in flights.deliveries() if row.kind == "reply"]
    assert "another version serves" in said[-1]
