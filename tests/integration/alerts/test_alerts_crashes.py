from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.notes import note
from alerts.rows import DeliveryRow, DestinationRow
from alerts.stand_in import Fault, FaultKind, StandIn
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


def chaos(seed: int) -> Callable[[str, int], Fault | None]:
    """Choose faults as a bad afternoon does: about every fourth call goes wrong."""
    generator = random.Random(seed)
    lock = threading.Lock()
    kinds = [FaultKind.DROP, FaultKind.RESET, FaultKind.STATUS, FaultKind.HTML, FaultKind.EMPTY]
    kinds += [FaultKind.TRUNCATED, FaultKind.THROTTLE]

    def choose(_method: str, _number: int) -> Fault | None:
        with lock:
            if generator.random() > 0.25:
                return None
            kind = generator.choice(kinds)
            after = kind is not FaultKind.THROTTLE and generator.random() < 0.5
            status = generator.choice([500, 502, 503, 504])
            return Fault(kind=kind, after=after, status=status)

    return choose


@pytest.mark.parametrize("seed", [7])
def test_a_short_chaos_loses_nothing_and_repeats_nothing(
    tell: Callable[..., Any],
    engine: Engine,
    slack: StandIn,
    worker: Callable[[str], Deliverer],
    seed: int,
) -> None:
    slack.faults.choose(chaos(seed))
    stop = threading.Event()

    def work(owner: str) -> None:
        one = worker(owner)
        while not stop.is_set():
            one.run_once()
            time.sleep(0.01)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    stories = [tell(f"model{index}") for index in range(4)]
    for number in range(7):
        for story in stories:
            story.day(number, loss=2.0 if number < 3 else 0.0)
            with write(engine) as session:
                note(
                    session,
                    story.settings.model,
                    f"day {number}",
                    now=story.window(number).window.end,
                )
    deadline = time.monotonic() + 60
    finished = {"sent", "superseded"}
    while time.monotonic() < deadline and {row.state for row in stories[0].deliveries()} - finished:
        hurry_waits(engine)
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()

    sent = [row for row in stories[0].deliveries() if row.state == "sent" and row.kind != "update"]
    visible = slack.visible(CHANNEL)
    assert {row.state for row in stories[0].deliveries()} <= finished
    assert sorted(row.ts or "" for row in sent) == sorted(message["ts"] for message in visible)
    assert len(sent) == 4 * 7
    for root in slack.messages(CHANNEL):
        assert "RESOLVED" in root["text"]
        texts = [reply["text"] for reply in slack.replies(CHANNEL, root["ts"])]
        assert texts == [
            "day 1",
            "day 2",
            "day 3",
            "day 4",
            "day 5",
            "Resolved after 5 d: recovered.",
        ]


def hurry_waits(engine: Engine) -> None:
    """Shorten waits, but let leases run: their holders are alive."""
    with write(engine) as session:
        waiting = DeliveryRow.state.in_(["pending", "ambiguous"])
        session.execute(update(DeliveryRow).where(waiting).values(not_before=0.0))
        session.execute(update(DestinationRow).values(not_before=0.0))
