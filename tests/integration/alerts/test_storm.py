from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import update

from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.model import IncidentState
from alerts.respond import end
from alerts.rows import DeliveryRow
from alerts.stand_in import StandIn
from alerts.sweep import sweep
from monitor.model import Family
from watchkeeper.database import write

CHANNEL = "C0FLIGHTS"
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


def worker(story: Any, slack: StandIn) -> Deliverer:
    client = make_client("xoxb-test", base_url=slack.base_url)
    how = Delivering(limits=UNLIMITED)
    return Deliverer(story.engine, {"slack": SlackChannel(client)}, owner="w", how=how)


def first_lines(slack: StandIn) -> list[str]:
    return [message["text"].partition(".")[0] for message in slack.messages(CHANNEL)]


@pytest.mark.slow
@ON_SQLITE
def test_a_hundred_models_of_a_broken_source_are_one_incident_and_the_first_page_comes_at_once(
    tell: Callable[..., Any], slack: StandIn
) -> None:
    columns = [f"column_{number}" for number in range(500)]
    fleet = [tell(f"model{n}", source={"table": "lake/*.parquet"}) for n in range(100)]
    stop = threading.Event()

    def deliver() -> None:
        one = worker(fleet[0], slack)
        while not stop.is_set():
            one.run_once()
            time.sleep(0.05)

    thread = threading.Thread(target=deliver)
    thread.start()
    evaluated = []
    for story in fleet:
        story.columns = columns
        story.day(0, broken=columns, drifted=dict.fromkeys(columns, 9.0))
        evaluated.append(time.time())
    deadline = time.monotonic() + 60
    while {row.state for row in fleet[0].deliveries()} - {"sent", "superseded"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stop.set()
    thread.join()

    told = [each for each in fleet[0].incidents() if each.standing.notified]
    assert [each.family for each in told] == [Family.DATA_CONTRACT]
    assert len(slack.visible(CHANNEL)) <= 10
    (root,) = slack.messages(CHANNEL)
    # The first page does not wait for the other ninety-nine evaluations.
    assert float(root["ts"]) - evaluated[0] < 5
    assert "500 columns broken" in root["text"]
    assert "in 100 models" in root["text"]


@ON_SQLITE
def test_sources_that_a_file_names_are_incidents_of_their_own(tell: Callable[..., Any]) -> None:
    groups = {"weather": ["temp", "dewp"], "schedule": ["dep_hour"]}
    first, second = tell("flights", sources=groups), tell("gates", sources=groups)
    for story in (first, second):
        story.day(0, broken=("temp", "dewp", "dep_hour", "carrier"))

    found = [(each.scope, each.columns) for each in first.incidents()]
    assert sorted(found) == [
        ("flights", ("carrier",)),
        ("gates", ("carrier",)),
        ("source:schedule", ("dep_hour",)),
        ("source:weather", ("dewp", "temp")),
    ]


@pytest.fixture
def fleet(tell: Callable[..., Any]) -> list[Any]:
    """Forty models of one team that lose their quality in the same hour."""
    fleet = [tell(f"model{number:02d}") for number in range(40)]
    for story in fleet:
        for day in (0, 1):
            story.day(day, loss=2.0)
    return fleet


def test_models_that_break_together_are_told_under_an_umbrella(
    fleet: list[Any], slack: StandIn
) -> None:
    worker(fleet[0], slack).run_once()

    lines = first_lines(slack)
    assert len(slack.visible(CHANNEL)) == len(lines) == 6
    assert lines[-1].startswith("🟠 TICKET several models: 35 models in trouble at once: model05, ")
    umbrella = next(each for each in fleet[0].incidents() if each.scope == "storm:flights")
    assert umbrella.state is IncidentState.OPEN
    quiet = [each for each in fleet[0].incidents() if not each.standing.notified]
    assert {each.standing.merged_into for each in quiet} == {umbrella.id}
    assert {each.state for each in quiet} == {IncidentState.PENDING}


def test_an_umbrella_ends_when_all_under_it_have_recovered(
    fleet: list[Any], slack: StandIn
) -> None:
    for story in fleet:
        for day in range(2, 7):
            story.day(day)
    with write(fleet[0].engine) as session:
        now = fleet[0].window(8).window.end
        for hours in range(3):
            sweep(session, {each.settings.model: each.settings for each in fleet}, now=now)
            now += 2 * (now - now) + (fleet[0].window(hours + 9).window.end - now)
    worker(fleet[0], slack).run_once()

    states = {each.state for each in fleet[0].incidents()}
    assert states <= {IncidentState.RESOLVED, IncidentState.DISCARDED, IncidentState.CLOSED}
    assert all("RESOLVED" in line for line in first_lines(slack))


@ON_SQLITE
def test_who_is_still_ill_when_the_umbrella_is_ended_by_hand_is_told(
    fleet: list[Any], slack: StandIn
) -> None:
    umbrella = next(each for each in fleet[0].incidents() if each.scope == "storm:flights")
    now = fleet[0].window(2).window.end
    with write(fleet[0].engine) as session:
        end(session, umbrella.id, "ada", now=now)
    for story in fleet[5:8]:
        story.day(2, loss=2.0)
    with write(fleet[0].engine) as session:
        session.execute(update(DeliveryRow).values(not_before=0.0))
    worker(fleet[0], slack).run_once()

    alone = [line for line in first_lines(slack) if "several models" not in line]
    assert sum("model05" in line or "model06" in line for line in alone) == 2


def test_what_comes_back_in_a_storm_comes_back_under_an_umbrella(
    tell: Callable[..., Any], slack: StandIn
) -> None:
    fleet = [tell(f"model{number:02d}") for number in range(12)]
    first, days = fleet[0], range(0, 2 * len(fleet), 2)
    # One falls ill after the other, so that each has a thread; then all recover.
    for ill, day in enumerate(days, start=1):
        for story in fleet[:ill]:
            story.day(day, loss=2.0)
            story.day(day + 1, loss=2.0)
    well = days.stop
    for story in fleet:
        for day in range(well, well + 5):
            story.day(day)
    models = {story.settings.model: story.settings for story in fleet}
    with write(first.engine) as session:
        sweep(session, models, now=first.window(well + 5).window.end)
    worker(first, slack).run_once()
    before = len(slack.visible(CHANNEL))
    assert {each.state for each in first.incidents()} == {IncidentState.RESOLVED}

    for story in fleet:
        for day in (well + 5, well + 6):
            story.day(day, loss=2.0)
    worker(first, slack).run_once()

    told = slack.visible(CHANNEL)[before:]
    assert len(told) <= 7
    assert sum("several models" in message["text"] for message in told) == 1
