from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.rows import DeliveryRow, DestinationRow
from alerts.stand_in import StandIn
from watchkeeper.database import write

CHANNEL = "C0FLIGHTS"

#: A worker that kills itself at one point of its work.
DOOMED = """
import os, signal, sys
import alerts.deliver as deliver
from alerts.channels.slack import SlackChannel, make_client
from alerts.destinations import UNLIMITED
from alerts.outbox import Outbox
from watchkeeper.database import make_engine

point, url, base_url = sys.argv[1:]

def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def then_die(function):
    def wrapped(*args, **kwargs):
        function(*args, **kwargs)
        die()
    return wrapped

if point == "before the lease":
    Outbox.lease = die
elif point == "after the lease":
    deliver.Deliverer._deliver = die
elif point == "after the send":
    SlackChannel.send = then_die(SlackChannel.send)
elif point == "before the commit":
    Outbox.finish = then_die(Outbox.finish)
channel = SlackChannel(make_client("xoxb-test", base_url=base_url))
how = deliver.Delivering(limits=UNLIMITED)
deliver.Deliverer(make_engine(url), {"slack": channel}, owner="doomed", how=how).run_once()
"""
POINTS = ("before the lease", "after the lease", "after the send", "before the commit")


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def worker(engine: Engine, slack: StandIn) -> Callable[[str], Deliverer]:
    def make(owner: str) -> Deliverer:
        client = make_client("xoxb-test", base_url=slack.base_url)
        how = Delivering(limits=UNLIMITED, look_after=0.0)
        return Deliverer(engine, {"slack": SlackChannel(client)}, owner=owner, how=how)

    return make


def hurry(engine: Engine) -> None:
    """Let every lease and every wait be over."""
    with write(engine) as session:
        session.execute(update(DeliveryRow).values(not_before=0.0))
        session.execute(
            update(DeliveryRow).where(DeliveryRow.state == "leased").values(lease_until=1.0)
        )
        session.execute(update(DestinationRow).values(not_before=0.0))


@pytest.mark.crash
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_is_killed_leaves_exactly_one_visible_message(
    *,
    flights: Any,
    slack: StandIn,
    worker: Callable[[str], Deliverer],
    database_url: str,
    tmp_path: Path,
    point: str,
) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    script = tmp_path / "doomed.py"
    script.write_text(DOOMED)
    ended = subprocess.run(
        [sys.executable, script, point, database_url, slack.base_url], check=False, timeout=120
    )
    assert ended.returncode == -signal.SIGKILL
    assert flights.deliveries()[0].state != "sent"
    for _ in range(5):
        hurry(flights.engine)
        worker("heir").run_once()

    assert flights.deliveries()[0].state == "sent"
    assert len(slack.visible(CHANNEL)) == 1
