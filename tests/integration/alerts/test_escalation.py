from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from alerts import respond
from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.model import IncidentState, Severity
from alerts.plan import Duty
from alerts.repository import History
from alerts.routing import Routing
from alerts.rows import DeliveryRow, DestinationRow
from alerts.stand_in import Fault, FaultKind, StandIn
from alerts.sweep import sweep
from monitor.model import Family
from watchkeeper.database import read, write
from watchkeeper.team_settings import Team

PAGES, BACKUP, LEADS, HEADS = "C0PAGES", "C0BACKUP", "C0LEADS", "C0HEADS"
TEAM = Team.model_validate(
    {
        "channel": "C0TEAM",
        "page": [f"slack:{PAGES}"],
        "backup": [f"slack:{BACKUP}"],
        "escalation": [
            {"after": "15m", "to": [f"slack:{LEADS}"]},
            {"after": "30m", "to": [f"slack:{HEADS}"]},
        ],
    }
)
POST = "chat.postMessage"


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def routed(flights: Any) -> Any:
    flights.settings = flights.settings.model_copy(
        update={"owner": flights.settings.owner.model_copy(update={"channel": None})}
    )
    flights.routing = Routing(teams={"flights": TEAM})
    return flights


def deliver(engine: Engine, slack: StandIn, rounds: int = 4, **how: Any) -> None:
    client = make_client("xoxb-test", base_url=slack.base_url)
    told = Delivering(limits=UNLIMITED, look_after=0.0, **how)
    worker = Deliverer(engine, {"slack": SlackChannel(client)}, owner="one", how=told)
    for _ in range(rounds):
        worker.run_once()


def hurry(engine: Engine) -> None:
    with write(engine) as session:
        session.execute(update(DeliveryRow).values(not_before=0.0))
        session.execute(update(DestinationRow).values(not_before=0.0))


def wait(engine: Engine, seconds: float) -> None:
    """Let messages have waited for so long already."""
    with write(engine) as session:
        session.execute(update(DeliveryRow).values(enqueued_at=DeliveryRow.enqueued_at - seconds))


def page(story: Any) -> None:
    """Break every column: that pages at once."""
    story.day(0, broken=story.columns)


def incident(story: Any) -> Any:
    return story.incident(Family.DATA_CONTRACT)


def pass_time(story: Any, minutes: int) -> None:
    now = incident(story).standing.called_at + timedelta(minutes=minutes)
    with write(story.engine) as session:
        sweep(session, {"flights": story.settings}, now=now)


def test_a_page_that_is_not_taken_in_for_two_minutes_is_told_at_the_next_place_once(
    routed: Any, slack: StandIn
) -> None:
    page(routed)
    slack.faults.add(POST, Fault(kind=FaultKind.THROTTLE, retry_after="600"))
    deliver(routed.engine, slack)
    assert slack.visible(BACKUP) == []
    wait(routed.engine, 130)
    deliver(routed.engine, slack)

    (message,) = slack.messages(BACKUP)
    said = f"slack:{PAGES} has not taken it in for two minutes: told slack:{BACKUP} too"
    assert said in message["text"]
    assert "delayed 2 min" in message["text"]
    assert slack.visible(PAGES) == []
    with read(routed.engine) as session:
        events = [entry.event for entry in History(session).of(1)]
    assert events.count("backed_up") == 1

    hurry(routed.engine)
    deliver(routed.engine, slack)
    for number in range(1, 5):
        routed.day(number)
    deliver(routed.engine, slack, rounds=8)
    for channel in (PAGES, BACKUP):
        (root,) = slack.messages(channel)
        assert "RESOLVED" in root["text"]


def test_a_page_that_was_taken_in_is_told_nowhere_else(routed: Any, slack: StandIn) -> None:
    page(routed)
    deliver(routed.engine, slack)
    wait(routed.engine, 1000)
    deliver(routed.engine, slack)

    assert len(slack.visible(PAGES)) == 1
    assert slack.visible(BACKUP) == []


def test_what_waits_behind_it_is_not_told_at_yet_another_place(routed: Any, slack: StandIn) -> None:
    team = TEAM.model_copy(update={"backup": (f"slack:{BACKUP}", "slack:C0LAST")})
    routed.routing = Routing(teams={"flights": team})
    page(routed)
    slack.faults.add(POST, Fault(kind=FaultKind.THROTTLE, retry_after="600"))
    deliver(routed.engine, slack)
    wait(routed.engine, 130)
    deliver(routed.engine, slack)
    pass_time(routed, 16)
    wait(routed.engine, 130)
    deliver(routed.engine, slack, rounds=8)

    assert len(slack.messages(BACKUP)) == 1
    assert len(slack.messages(LEADS)) == 1
    assert slack.visible("C0LAST") == []


def test_a_page_that_one_of_two_places_has_taken_in_is_told_nowhere_else(
    routed: Any, slack: StandIn
) -> None:
    team = TEAM.model_copy(update={"page": (f"slack:{PAGES}", f"slack:{LEADS}")})
    routed.routing = Routing(teams={"flights": team})
    page(routed)
    slack.faults.add(POST, Fault(kind=FaultKind.THROTTLE, retry_after="600"))
    deliver(routed.engine, slack)
    wait(routed.engine, 1000)
    deliver(routed.engine, slack)

    assert len(slack.visible(PAGES)) + len(slack.visible(LEADS)) == 1
    assert slack.visible(BACKUP) == []


def test_a_thread_that_moves_to_where_it_is_told_already_is_told_once(
    routed: Any, slack: StandIn
) -> None:
    team = TEAM.model_copy(update={"page": (f"slack:{PAGES}", "slack:C0OPS")})
    routed.routing = Routing(teams={"flights": team})
    slack.workspace.room(PAGES).archived = True
    page(routed)
    for _ in range(4):
        hurry(routed.engine)
        deliver(routed.engine, slack, fallback="slack:C0OPS")
    assert incident(routed).destinations == ("slack:C0OPS",)
    routed.day(1, broken=routed.columns)
    hurry(routed.engine)
    deliver(routed.engine, slack, fallback="slack:C0OPS")

    assert {row.state for row in routed.deliveries()} <= {"sent", "superseded", "dead"}


def test_nobody_answers_so_more_are_told_step_by_step(routed: Any, slack: StandIn) -> None:
    page(routed)
    pass_time(routed, 14)
    deliver(routed.engine, slack)
    assert slack.visible(LEADS) == []
    pass_time(routed, 16)
    pass_time(routed, 17)
    deliver(routed.engine, slack)
    assert len(slack.visible(LEADS)) == 1
    assert slack.visible(HEADS) == []
    pass_time(routed, 31)
    deliver(routed.engine, slack)

    assert len(slack.visible(HEADS)) == 1
    (root,) = slack.messages(PAGES)
    texts = [reply["text"] for reply in slack.replies(PAGES, root["ts"])]
    assert texts == [
        "<@U0ADA> Nobody has acknowledged it for 16 min: told slack:C0LEADS too.",
        "<@U0ADA> Nobody has acknowledged it for 31 min: told slack:C0HEADS too.",
    ]


def test_who_acknowledges_ends_the_escalation(routed: Any, slack: StandIn) -> None:
    page(routed)
    called = incident(routed).standing.called_at
    with write(routed.engine) as session:
        respond.acknowledge(session, 1, "ada", now=called + timedelta(minutes=5))
    pass_time(routed, 60)
    deliver(routed.engine, slack)

    assert incident(routed).state is IncidentState.ACKED
    assert slack.visible(LEADS) == []


def test_an_acknowledgement_that_expires_starts_it_again(routed: Any, slack: StandIn) -> None:
    page(routed)
    pass_time(routed, 16)
    called = incident(routed).standing.called_at
    with write(routed.engine) as session:
        respond.acknowledge(session, 1, "ada", now=called + timedelta(minutes=20))
    pass_time(routed, 20 + 24 * 60 + 1)
    standing = incident(routed).standing

    assert (standing.state, standing.level) == (IncidentState.OPEN, 0)
    assert standing.called_at > called


def test_a_change_of_the_settings_does_not_move_a_running_incident(
    routed: Any, slack: StandIn
) -> None:
    page(routed)
    routed.routing = Routing(teams={"flights": Team(channel="C0NEW")})
    routed.day(1, broken=routed.columns)
    pass_time(routed, 16)
    deliver(routed.engine, slack)

    assert len(slack.visible(LEADS)) == 1
    assert slack.visible("C0NEW") == []


def test_a_ticket_that_becomes_a_page_is_told_where_pages_go_as_well(
    routed: Any, slack: StandIn
) -> None:
    routed.day(0, broken=("temp",))
    deliver(routed.engine, slack)
    assert len(slack.visible("C0TEAM")) == 1
    routed.day(1, broken=routed.columns)
    deliver(routed.engine, slack, rounds=8)

    assert incident(routed).severity is Severity.PAGE
    assert incident(routed).destinations == ("slack:C0TEAM", f"slack:{PAGES}")
    assert len(slack.messages(PAGES)) == 1


def test_a_page_calls_who_is_on_duty_when_it_is_sent(routed: Any, slack: StandIn) -> None:
    def on_duty(session: Session, team: str) -> Duty:
        assert team == "flights"
        return Duty(name="Bob", slack="U0BOB")

    page(routed)
    deliver(routed.engine, slack, on_duty=on_duty)

    (root,) = slack.messages(PAGES)
    assert "*On call*  <@U0BOB>" in str(root["blocks"])
    assert "U0ADA" not in str(root["blocks"])
    routed.day(1, broken=routed.columns)
    deliver(routed.engine, slack, on_duty=on_duty)
    (root,) = slack.messages(PAGES)
    assert root["edited"]
    assert "*On call*  <@U0BOB>" in str(root["blocks"])


def test_duties_that_cannot_be_read_do_not_hold_back_a_page(routed: Any, slack: StandIn) -> None:
    def on_duty(session: Session, team: str) -> Duty:
        raise RuntimeError("the calendar is broken")

    page(routed)
    deliver(routed.engine, slack, on_duty=on_duty)

    assert len(slack.visible(PAGES)) == 1
