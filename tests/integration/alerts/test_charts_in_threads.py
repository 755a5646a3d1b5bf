from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from alerts.channels.slack import SlackChannel, make_client
from alerts.channels.slack_files import SlackFiles
from alerts.charts import Chart, Illustrator
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.model import Incident
from alerts.rows import ChartRow
from alerts.stand_in import Fault, FaultKind, StandIn
from watchkeeper.database import read, write

CHANNEL = "C0FLIGHTS"
ALT = "ROC AUC per day. Newest: 0.710, below the limit 0.730."
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
STEPS = ("files.getUploadURLExternal", "files.completeUploadExternal", "files.info")


def draw(incident: Incident) -> Chart | None:
    return Chart(png=b"\x89PNG and more", title=incident.name, alt=ALT)


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def illustrate(engine: Engine, slack: StandIn) -> Callable[..., int]:
    def run(drawing: Callable[[Incident], Chart | None] = draw, *, rounds: int = 1) -> int:
        gallery = SlackFiles(make_client("xoxb-test", base_url=slack.base_url, timeout=2))
        shown = 0
        for _ in range(rounds):
            with write(engine) as session:
                session.execute(update(ChartRow).values(lease_until=None))
            shown += Illustrator(engine, {"slack": gallery}, draw=drawing, owner="w").run_once()
        return shown

    return run


@pytest.fixture
def page(flights: Any, slack: StandIn) -> Callable[[], None]:
    client = make_client("xoxb-test", base_url=slack.base_url)
    how = Delivering(limits=UNLIMITED, look_after=0.0)
    deliverer = Deliverer(flights.engine, {"slack": SlackChannel(client)}, owner="w", how=how)

    def deliver() -> None:
        for number in (0, 1):
            flights.day(number, loss=2.0)
        deliverer.run_once()

    return deliver


def pictures(slack: StandIn) -> list[dict[str, Any]]:
    return [message for message in slack.visible(CHANNEL) if message.get("files")]


def states(engine: Engine) -> list[str]:
    with read(engine) as session:
        return list(session.scalars(select(ChartRow.state).order_by(ChartRow.id)))


def test_a_chart_follows_the_text_into_its_thread_once(
    page: Callable[[], None], slack: StandIn, illustrate: Callable[..., int]
) -> None:
    assert illustrate() == 0
    page()
    assert illustrate(rounds=3) == 1

    (root,) = slack.messages(CHANNEL)
    (picture,) = pictures(slack)
    assert picture["thread_ts"] == root["ts"]
    assert picture["blocks"][0]["alt_text"] == ALT
    stored = slack.workspace.files[picture["files"][0]["id"]]
    assert stored["content"].startswith(b"\x89PNG")


@ON_SQLITE
@pytest.mark.parametrize("step", STEPS[:2])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.STATUS, FaultKind.TRUNCATED])
def test_whatever_fails_it_is_shown_once_and_the_text_has_long_arrived(
    *,
    page: Callable[[], None],
    slack: StandIn,
    illustrate: Callable[..., int],
    engine: Engine,
    step: str,
    after: bool,
    kind: FaultKind,
) -> None:
    slack.faults.add(step, Fault(kind=kind, after=after))
    page()
    assert len(slack.messages(CHANNEL)) == 1
    illustrate(rounds=4)

    assert len(pictures(slack)) == 1
    assert states(engine) == ["shown"]


@ON_SQLITE
def test_what_cannot_be_drawn_or_uploaded_is_left_out(
    page: Callable[[], None], slack: StandIn, illustrate: Callable[..., int], engine: Engine
) -> None:
    def broken(_incident: Incident) -> Chart | None:
        raise RuntimeError("no picture today")

    page()
    assert illustrate(broken, rounds=5) == 0
    assert states(engine) == ["given_up"]
    assert pictures(slack) == []


@ON_SQLITE
def test_an_incident_without_a_metric_has_no_chart(
    page: Callable[[], None], slack: StandIn, illustrate: Callable[..., int], engine: Engine
) -> None:
    page()
    assert illustrate(lambda _incident: None, rounds=2) == 0

    assert states(engine) == ["none"]
    assert slack.calls.count(STEPS[0]) == 0


@ON_SQLITE
def test_an_incident_that_comes_back_has_another_chart(
    flights: Any, page: Callable[[], None], slack: StandIn, illustrate: Callable[..., int]
) -> None:
    page()
    illustrate()
    for number in range(2, 7):
        flights.day(number)
    assert flights.incident().state == "resolved"
    for number in (7, 8):
        flights.day(number, loss=2.0)
    illustrate(rounds=2)

    assert len(pictures(slack)) == 2
