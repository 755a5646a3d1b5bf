from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts import respond
from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.digest import due_day, order_digests
from alerts.digest_model import Digest
from alerts.model import Verdict
from alerts.routing import Routing
from alerts.rows import DeliveryRow, DigestRow
from alerts.silences import Silences
from alerts.silencing import Silence
from alerts.stand_in import Fault, FaultKind, StandIn
from monitor.window_store import WindowRow
from watchkeeper.database import read, write
from watchkeeper.team_settings import Team

TEAM = Team.model_validate({"channel": "C0TEAM", "timezone": "Europe/Berlin"})
ROUTING = Routing(teams={"flights": TEAM})
#: A Tuesday and a Monday, at 9:00 in Berlin.
TUESDAY = datetime(2013, 6, 4, 7, tzinfo=UTC)
MONDAY = datetime(2013, 6, 10, 7, tzinfo=UTC)


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


def order(story: Any, now: datetime, routing: Routing = ROUTING) -> list[Digest]:
    return order_digests(story.engine, {"flights": story.settings}, routing, now=now)


def deliver(engine: Engine, slack: StandIn) -> None:
    client = make_client("xoxb-test", base_url=slack.base_url)
    how = Delivering(limits=UNLIMITED, look_after=0.0, public_url="https://watch.example")
    worker = Deliverer(engine, {"slack": SlackChannel(client)}, owner="one", how=how)
    for _ in range(4):
        worker.run_once()


def evaluated(engine: Engine, windows: int, last: datetime) -> None:
    with write(engine) as session:
        for number in range(windows):
            end = last - number * timedelta(hours=1)
            session.add(
                WindowRow(
                    model="flights",
                    version=1,
                    window_start=end - timedelta(hours=1),
                    window_end=end,
                    rows=1000,
                    labels=610,
                    labels_mature=number > 5,
                    evaluated_at=end,
                )
            )


def test_a_digest_tells_what_is_open_what_drifts_and_how_many_labels_are_in(
    flights: Any, slack: StandIn
) -> None:
    for number in (0, 1):
        flights.day(number, drifted={"dewp": 3.0, "humid": 2.0})
    flights.day(2, broken=("temp",), drifted={"dewp": 3.0, "humid": 2.0})
    evaluated(flights.engine, 8, TUESDAY - timedelta(hours=1))
    (digest,) = order(flights, TUESDAY)
    deliver(flights.engine, slack)

    (message,) = slack.messages("C0TEAM")
    said = str(message["blocks"])
    assert digest.headline == "1 open, 1 drifting"
    assert "flights, Tuesday 4 June: 1 open, 1 drifting" in said
    assert "INC-0002 TICKET flights" in said
    assert "flights: 2 columns: dewp, humid, since" in said
    assert "flights: 61% of 1,000 in the window until 04 Jun 2013 06:00 UTC; complete until" in said
    assert "https://watch.example/incidents" in said
    assert message["text"].startswith("Digest of flights, Tuesday 4 June")


def test_it_comes_once_a_day_whoever_asks(flights: Any, slack: StandIn) -> None:
    flights.day(0, broken=("temp",))
    assert order(flights, TUESDAY - timedelta(minutes=1)) == []
    found: list[Digest] = []
    threads = [
        threading.Thread(target=lambda: found.extend(order(flights, TUESDAY))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for hours in (1, 5, 14):
        found += order(flights, TUESDAY + timedelta(hours=hours))
    found += order(flights, TUESDAY + timedelta(days=1))

    assert [digest.day for digest in found] == [date(2013, 6, 4), date(2013, 6, 5)]
    with read(flights.engine) as session:
        rows = session.scalars(select(DeliveryRow).where(DeliveryRow.digest_id.is_not(None))).all()
    assert len({row.id for row in rows}) == 2


def test_a_quiet_day_is_silent_and_a_quiet_week_proves_life(flights: Any, slack: StandIn) -> None:
    evaluated(flights.engine, 100, MONDAY)
    for day in range(6):
        assert order(flights, TUESDAY + timedelta(days=day)) == []
    (weekly,) = order(flights, MONDAY)
    deliver(flights.engine, slack)

    assert weekly.headline == "all quiet"
    (message,) = slack.messages("C0TEAM")
    assert "100 evaluations over 1 models" in str(message["blocks"])
    with read(flights.engine) as session:
        days = session.scalars(select(DigestRow.content)).all()
    assert [content is None for content in days] == [True] * 6 + [False]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # The clocks go forward at 1:00 UTC on 31 March, and back at 1:00 UTC on 27 October.
        (datetime(2013, 3, 30, 7, 59, tzinfo=UTC), None),
        (datetime(2013, 3, 30, 8, 0, tzinfo=UTC), date(2013, 3, 30)),
        (datetime(2013, 3, 31, 6, 59, tzinfo=UTC), None),
        (datetime(2013, 3, 31, 7, 0, tzinfo=UTC), date(2013, 3, 31)),
        (datetime(2013, 10, 27, 7, 59, tzinfo=UTC), None),
        (datetime(2013, 10, 27, 8, 0, tzinfo=UTC), date(2013, 10, 27)),
        (datetime(2013, 6, 4, 22, 30, tzinfo=UTC), None),
    ],
)
def test_nine_is_nine_on_the_wall(now: datetime, expected: date | None) -> None:
    assert due_day(TEAM, now) == expected


def test_a_time_that_the_clocks_skip_or_repeat_comes_once() -> None:
    night = Team.model_validate({"timezone": "Europe/Berlin", "digest_at": "02:30"})
    skipped = [
        due_day(night, datetime(2013, 3, 31, 0, tzinfo=UTC) + timedelta(minutes=m))
        for m in range(0, 300, 10)
    ]
    repeated = [
        due_day(night, datetime(2013, 10, 27, 0, tzinfo=UTC) + timedelta(minutes=m))
        for m in range(0, 300, 10)
    ]

    for days in (skipped, repeated):
        known = [day for day in days if day is not None]
        assert len(set(known)) == 1
        assert days[-len(known) :] == known


def test_gaps_in_the_duties_are_told_two_weeks_ahead(flights: Any) -> None:
    duties = {
        "timezone": "Europe/Berlin",
        "people": {"ada": {"name": "Ada"}},
        "shifts": [{"person": "ada", "start": "2013-06-01T09:00", "end": "2013-06-17T09:00"}],
    }
    team = TEAM.model_copy(update={"on_call": Team.model_validate({"on_call": duties}).on_call})
    (digest,) = order(flights, TUESDAY, Routing(teams={"flights": team}))

    assert digest.sections[0].lines == (
        "nobody from Mon 17 Jun 09:00 to Tue 18 Jun 09:00 (Europe/Berlin)",
    )
    assert order(flights, TUESDAY - timedelta(days=2), Routing(teams={"flights": team})) == []


def test_a_digest_whose_fate_is_unknown_is_looked_for_and_comes_once(
    flights: Any, slack: StandIn
) -> None:
    flights.day(0, broken=("temp",))
    deliver(flights.engine, slack)
    order(flights, TUESDAY)
    slack.faults.add("chat.postMessage", Fault(kind=FaultKind.DROP, after=True))
    for _ in range(4):
        with write(flights.engine) as session:
            for row in session.scalars(select(DeliveryRow)):
                row.not_before = 0.0
        deliver(flights.engine, slack)

    assert len(slack.visible("C0TEAM")) == 1
    assert {row.state for row in flights.deliveries()} == {"sent"}


def test_rules_that_people_judged_stand_in_the_digest(flights: Any) -> None:
    flights.day(0, broken=("temp",))
    with write(flights.engine) as session:
        respond.judge(session, 1, "ada", Verdict.NOISE, now=TUESDAY)
    (digest,) = order(flights, TUESDAY)

    (rules,) = [part for part in digest.context if part.title == "Rules that were judged"]
    assert rules.lines == ("data contract of flights: 0 of 1 useful (95 % CI 0 % to 79 %)",)


def test_a_digest_is_read_back_as_it_was_kept(flights: Any) -> None:
    flights.day(0, broken=("temp",))
    (digest,) = order(flights, TUESDAY)

    assert Digest.from_dict(digest.to_dict()) == digest


def test_silences_that_end_soon_and_those_that_hold_nothing_back_are_told(flights: Any) -> None:
    def silence(column: str, begins: int, ends: int) -> None:
        with write(flights.engine) as session:
            Silences(session).add(
                Silence(
                    column=column,
                    reason="new sensor",
                    author="ada",
                    starts_at=TUESDAY + timedelta(days=begins),
                    until=TUESDAY + timedelta(days=ends),
                )
            )

    for day in (0, 1, 2):
        flights.day(day, broken=("temp",))
    silence("temp", -20, 1)
    silence("humid", -8, 5)
    silence("dewp", -2, 5)
    (digest,) = order(flights, TUESDAY)

    (section,) = [part for part in digest.sections if part.title == "Silences"]
    assert section.lines == (
        "silence 1 of temp (ada: new sensor) ends 05 Jun 2013 07:00 UTC",
        "silence 2 of humid (ada: new sensor) has held nothing back for 8 d",
    )
    assert digest.headline == "1 open, 2 about silences"
