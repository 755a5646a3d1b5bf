from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine, delete, text, update

from alerts.audit import Allowance, Auditor, Finding, newest_audit
from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.heartbeat import Heartbeat
from alerts.rows import AuditRow, DeliveryRow
from alerts.stand_in import StandIn
from service.loops import Loop
from service.metrics import StateMetrics
from service.schedule import EVALUATE, materialise_due
from service.watch import Pace, fired, turning
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read, write
from watchkeeper.jobs.rows import RunRow

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Outside(ThreadingHTTPServer):
    """Somebody who waits for signs of life."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Ear)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ping/secret-of-the-test"


class _Ear(BaseHTTPRequestHandler):
    server: Outside

    def do_GET(self) -> None:
        self.server.heard.append(f"{self.command} {self.path}")
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815  the name that the library calls

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def outside() -> Iterator[Outside]:
    server = Outside()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def audit(engine: Engine, outside: Outside) -> Callable[..., Auditor]:
    def make(*checks: Any, **more: Any) -> Auditor:
        beat = Heartbeat(url=outside.url, timeout=5)
        return Auditor(engine, checks=checks, heartbeat=beat, owner="worker", **more)

    return make


def open_page(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0, alarm=number == 1)


def age(engine: Engine, seconds: float) -> None:
    """Let all messages have been ordered some seconds earlier."""
    with write(engine) as session:
        earlier = {"enqueued_at": DeliveryRow.enqueued_at - seconds}
        session.execute(update(DeliveryRow).values(**earlier))


def test_all_is_well_and_the_outside_hears_of_it(
    engine: Engine, audit: Callable[..., Auditor], outside: Outside
) -> None:
    audit().run_once()

    assert outside.heard == ["GET /ping/secret-of-the-test"]
    with read(engine) as session:
        assert newest_audit(session).ok


def test_a_page_on_its_way_is_well_and_a_late_one_is_not(
    flights: Any, audit: Callable[..., Auditor], outside: Outside
) -> None:
    open_page(flights)
    audit().run_once()
    assert len(outside.heard) == 1
    age(flights.engine, 130)
    auditor = audit()
    auditor.run_once()

    assert len(outside.heard) == 1
    (finding,) = auditor.audit()
    assert finding.kind == "page"
    assert finding.text.startswith("INC-0001 was ordered 13")
    with StandIn() as slack:
        client = make_client("xoxb-test", base_url=slack.base_url)
        how = Delivering(limits=UNLIMITED)
        Deliverer(flights.engine, {"slack": SlackChannel(client)}, owner="late", how=how).run_once()
    auditor.run_once()
    assert len(outside.heard) == 2


@ON_SQLITE
def test_a_page_that_nobody_will_ever_send_is_found(
    flights: Any, audit: Callable[..., Auditor]
) -> None:
    open_page(flights)
    with write(flights.engine) as session:
        session.execute(update(DeliveryRow).values(state="dead"))

    (finding,) = audit().audit()
    assert finding.text == "INC-0001 is open, and no message to anybody is ordered"


@ON_SQLITE
def test_a_message_that_nobody_sends_and_a_lease_that_nobody_gives_back_are_found(
    flights: Any, audit: Callable[..., Auditor]
) -> None:
    flights.day(0, broken=("temp",))
    age(flights.engine, 1000)
    with write(flights.engine) as session:
        values = {"state": "leased", "lease_owner": "gone", "lease_until": time.time() - 61}
        session.execute(update(DeliveryRow).values(**values))

    assert [finding.kind for finding in audit().audit()] == ["outbox", "lease"]


@ON_SQLITE
def test_whatever_another_check_finds_withholds_the_sign_of_life(
    engine: Engine, audit: Callable[..., Auditor], outside: Outside
) -> None:
    def breaks() -> list[Finding]:
        raise RuntimeError("no")

    audit(lambda: [Finding(kind="loop", text="tick has ended")], breaks).run_once()

    assert outside.heard == []
    with read(engine) as session:
        said = newest_audit(session)
    assert said.findings == ("loop: tick has ended", "audit: a check failed: RuntimeError")


@ON_SQLITE
def test_a_database_that_is_gone_or_takes_no_writes_withholds_the_sign_of_life(
    engine: Engine, audit: Callable[..., Auditor], outside: Outside
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE audits RENAME TO away"))
    audit().run_once()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE deliveries RENAME TO gone"))
    (finding,) = audit().audit()

    assert outside.heard == []
    assert finding.kind == "database"


@ON_SQLITE
def test_an_audit_speaks_for_three_minutes(engine: Engine, audit: Callable[..., Auditor]) -> None:
    audit().run_once()
    with write(engine) as session:
        session.execute(update(AuditRow).values(at=AuditRow.at - 181))
    with read(engine) as session:
        assert newest_audit(session).findings == ("no audit for 181 s",)
    with write(engine) as session:
        session.execute(delete(AuditRow))
    with read(engine) as session:
        assert not newest_audit(session).ok


@ON_SQLITE
def test_prometheus_sees_what_the_auditor_sees(flights: Any, audit: Callable[..., Auditor]) -> None:
    open_page(flights)
    age(flights.engine, 300)
    audit().run_once()
    registry = CollectorRegistry()
    registry.register(StateMetrics(flights.engine))
    shown = dict(
        line.rsplit(" ", 1)
        for line in generate_latest(registry).decode().splitlines()
        if not line.startswith("#")
    )

    assert shown["watchkeeper_audit_ok"] == "0.0"
    assert float(shown["watchkeeper_pages_oldest_seconds"]) >= 300


@ON_SQLITE
def test_the_ledger_counts_what_became_of_messages(flights: Any) -> None:
    open_page(flights)
    with write(flights.engine) as session:
        session.execute(update(DeliveryRow).values(state="sent", attempt=3, adopted=True))
    registry = CollectorRegistry()
    registry.register(StateMetrics(flights.engine))
    shown = generate_latest(registry).decode()

    for name, number in (("sent", 1), ("retried", 2), ("adopted", 1)):
        line = f'watchkeeper_messages_{name}_total{{destination="slack:C0FLIGHTS"}} {number}.0'
        assert line in shown


def test_a_fire_time_that_nobody_evaluated_is_found(
    flights: Any, engine: Engine, clock: SteppedClock
) -> None:
    models = {"flights": flights.settings}
    check = fired(engine, models, clock, allowance=timedelta(minutes=2))
    assert check() == []
    clock.advance_to(clock.now() + timedelta(hours=1, minutes=3))
    assert [finding.text for finding in check()] == ["no evaluation of flights was ordered"]
    materialise_due(engine, models, clock.now())
    assert [finding.text for finding in check()] == ["the evaluation of flights is due for 180 s"]
    with write(engine) as session:
        session.execute(update(RunRow).values(state="done"))

    assert check() == []
    assert EVALUATE == "evaluate:"


def test_loops_that_rest_work_or_fail_for_too_long_are_found() -> None:
    busy = threading.Event()

    def work() -> int:
        busy.wait(20)
        return 0

    def fail() -> int:
        raise RuntimeError("no")

    loops = [
        Loop("idle", lambda: 0, every=60),
        Loop("busy", work, every=60),
        Loop("failing", fail, every=0.01),
        Loop("well", lambda: 0, every=0.01),
        Loop("dead", lambda: 0, every=60),
    ]
    for loop in loops[:-1]:
        loop.start()
    # A thread that works may wait for its turn where the machine is busy.
    patience = {"well": 30.0}
    paces = [Pace(loop=loop, rest=patience.get(loop.name, 0.3), work=0.3) for loop in loops]
    check, deadline = turning(paces), time.monotonic() + 20
    while len(found := check()) < len(loops) - 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    busy.set()
    for loop in loops:
        loop.ask_to_stop()
        loop.join(5)

    assert [finding.text.split()[0] for finding in found] == ["idle", "busy", "failing", "dead"]
    assert loops[2].failures_in_all >= 2


@pytest.mark.parametrize(
    ("status", "trouble"), [(200, None), (204, None), (404, "http_404"), (500, "http_500")]
)
def test_a_sign_of_life_is_taken_or_not(outside: Outside, status: int, trouble: str | None) -> None:
    outside.status = status

    assert Heartbeat(url=outside.url, method="POST", timeout=5).beat() == trouble
    assert outside.heard == ["POST /ping/secret-of-the-test"]


def test_the_address_of_the_sign_of_life_is_told_to_nobody(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "http://127.0.0.1:9/ping/secret-of-the-test"
    beat = Heartbeat(url=url, timeout=1)
    Auditor(engine, checks=(), heartbeat=beat, owner="worker").run_once()

    assert beat.beat() == "ConnectionRefusedError"
    assert "secret-of-the-test" not in f"{beat!r} {capsys.readouterr()}"
    assert Heartbeat(url="file:///etc/passwd").beat() == "the address is not http or https"


def test_a_page_may_take_two_minutes() -> None:
    assert Allowance().page == 120
