from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from litestar import Litestar
from sqlalchemy import Engine, func, select

from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.model import IncidentState
from alerts.stand_in import StandIn
from retrain.rows import RetrainRunRow
from service.server import Server
from service.slack_buttons import slack_buttons
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read
from watchkeeper.settings import Slack

SECRET = "a-secret-of-the-test"
RETRAIN = {"command": "train.py:train", "cost": 150}


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn(signing_secret=SECRET) as server:
        yield server


@pytest.fixture
def story(
    tell: Callable[..., Any], engine: Engine, slack: StandIn, clock: SteppedClock
) -> Iterator[Any]:
    made = tell("flights", retrain=RETRAIN)
    settings = Slack(signing_secret=SECRET, base_url=slack.base_url)
    handlers = slack_buttons(
        settings, engine=engine, clock=clock, models={"flights": made.settings}
    )
    server = Server(Litestar([*handlers], logging_config=None), host="127.0.0.1", port=0)
    server.start()
    slack.clicks.url = f"{server.url}/slack/interactions"
    for number in (0, 1):
        made.day(number, loss=2.0)
    clock.advance_to(made.window(1).window.end)
    client = make_client("xoxb-test", base_url=slack.base_url)
    how = Delivering(limits=UNLIMITED, interactive=True)
    Deliverer(engine, {"slack": SlackChannel(client)}, owner="w", how=how).run_once()
    yield made
    server.stop()


def test_ten_clicks_by_three_people_at_once_start_exactly_one_run(
    story: Any, slack: StandIn, engine: Engine
) -> None:
    (root,) = slack.messages("C0FLIGHTS")

    def click(number: int) -> None:
        slack.clicks.click("C0FLIGHTS", root["ts"], "incident.retrain", user=f"U0{number % 3}")

    threads = [threading.Thread(target=click, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with read(engine) as session:
        runs = session.scalar(select(func.count()).select_from(RetrainRunRow))

    assert runs == 1
    assert story.incident().state is IncidentState.MITIGATING
    texts = [row.text for row in story.deliveries() if row.kind == "reply"]
    assert len(texts) == 1
    assert texts[0].endswith("asked for a retrain: run 1 is queued.")


def test_without_a_secret_nobody_listens(engine: Engine, clock: SteppedClock) -> None:
    assert slack_buttons(Slack(), engine=engine, clock=clock, models={}) == ()
