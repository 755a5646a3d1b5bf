"""The demo from its first line to its last: set up, train, replay, sum up, stay."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from alerts.stand_in import StandIn
from service.demo.driver import MODEL, Driver
from service.demo.facts import Facts, gather
from service.demo.flights import replay
from service.demo.narrator import Narrator
from service.demo.options import Options
from service.demo.screen import Screen
from service.init.project import create
from service.output import write_json
from service.running import Role, Running
from service.server import bind
from service.start import open_service, prepare, train_missing
from service.telemetry import configure_logs
from service.up import StopSignal
from watchkeeper.client import Client
from watchkeeper.clock import SteppedClock
from watchkeeper.errors import ConfigurationError, ConflictError
from watchkeeper.home import HomeLock

#: Marks a folder as the demo's own: only such a one is replaced by the next run.
MARKER = ".watchkeeper-demo"
_PORT = 8000
_CHANNEL = "WATCHKEEPER_SLACK_CHANNEL"
_TOKEN = "WATCHKEEPER_SLACK_TOKEN"  # noqa: S105  the name of a variable


def run(options: Options, environ: Mapping[str, str]) -> Facts:
    """Run the demo; returns when it is over, or at the end of the replay with ``once``."""
    screen = Screen(quiet=str(options.json_file) == "-")
    started = time.monotonic()
    home = options.home.absolute()
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal())
        variables = dict(environ)
        variables["WATCHKEEPER_SERVER__PORT"] = str(_free_port(options.port, screen))
        stand_in = stack.enter_context(_stand_in(variables, screen))
        _make_project(home, screen)
        stack.enter_context(HomeLock(home))
        hours = list(replay())
        configure_logs(file=home / "state" / "watchkeeper.log")
        slack = "Slack" if stand_in is None else f"the stand-in Slack at {stand_in.url}"
        clock = SteppedClock(hours[0].start)
        service = open_service(home, variables, clock=clock)
        token = prepare(service)
        screen.step("Training version 1 on the flights of January to May, in its own process")
        train_missing(service, lambda text: screen.event(clock.now(), "model", text))
        running = Running(service=service, roles=frozenset(Role), ticks=False)
        stack.callback(running.stop)
        running.start()
        url = running.address
        if stand_in is not None:
            stand_in.clicks.url = f"{url}/slack/interactions"
        screen.step(f"Serving at {url}; messages go to {slack}")
        screen.step("Replaying June to September through POST /v1/models/flights/predict")
        narrator = Narrator(engine=service.engine, screen=screen)
        driver = Driver(
            # A failure must be seen, not made up for: no patience.
            client=Client(url, token=token, patience=0.0),
            clock=clock,
            screen=screen,
            catch_up=lambda: _catch_up(running),
            retrain=lambda: service.retraining.run_next(clock.now()) is not None,
            tell=narrator.tell,
        )
        with screen.alive():
            driver.run(hours)
        _drain(running, narrator)
        facts = gather(
            service,
            MODEL,
            rows_served=driver.rows,
            failed_requests=driver.failed,
            seconds=time.monotonic() - started,
        )
        _sum_up(screen, facts, driver)
        if options.json_file is not None:
            write_json(asdict(facts), options.json_file)
        if not options.once:
            stop.listen()
            _stay(options, screen, f"{url}/models/{MODEL}", slack)
            stop.wait()
    return facts


def _stay(options: Options, screen: Screen, page: str, slack: str) -> None:
    screen.step(f"The pages stay up at {page} and {slack}; Ctrl-C ends the demo")
    if options.browser:
        webbrowser.open(page)


def _catch_up(running: Running) -> None:
    running.service.ship()
    running.service.worker.tick()


def _drain(running: Running, narrator: Narrator) -> None:
    """Wait until everything that was to be said has been said."""
    for loop in running.loops:
        loop.wake()
    deadline = time.monotonic() + 20
    pause = threading.Event()
    while narrator.undelivered() and time.monotonic() < deadline:
        running.service.deliverer.run_once()
        pause.wait(0.2)


def _make_project(home: Path, screen: Screen) -> None:
    if (home / MARKER).exists():
        with HomeLock(home):
            screen.step(f"Replacing the project of the last demo in {home}")
        shutil.rmtree(home)
    else:
        screen.step(f"Writing a project to {home}")
    create(home, "flights")
    (home / MARKER).write_text("Made by `watchkeeper demo`; the next demo replaces it.\n")


def _free_port(wanted: int | None, screen: Screen) -> int:
    port = _PORT if wanted is None else wanted
    try:
        bind("127.0.0.1", port).close()
    except ConflictError:
        if wanted is not None:
            raise
        free = bind("127.0.0.1", 0)
        port = free.getsockname()[1]
        free.close()
        screen.step(f"Port {_PORT} is taken; the pages will be on {port}")
    return port


@contextmanager
def _stand_in(variables: dict[str, str], screen: Screen) -> Iterator[StandIn | None]:
    """Give the variables a Slack to talk to when they name none."""
    if variables.get(_TOKEN) or variables.get("WATCHKEEPER_SLACK__TOKEN"):
        channel = variables.get(_CHANNEL) or variables.get("WATCHKEEPER_SLACK__CHANNEL")
        if not channel:
            raise ConfigurationError(f"expected a channel for the demo's messages: set {_CHANNEL}")
        variables["WATCHKEEPER_MODELS__FLIGHTS__OWNER__CHANNEL"] = channel
        yield None
        return
    secret = secrets.token_hex(16)
    with StandIn(
        channels={"C0FLIGHTS": "flights"},
        users={"U0EXAMPLE": "Sam Reyes"},
        signing_secret=secret,
    ) as stand_in:
        variables["WATCHKEEPER_SLACK__TOKEN"] = "xoxb-stand-in"  # noqa: S105  opens nothing
        variables["WATCHKEEPER_SLACK__SIGNING_SECRET"] = secret
        variables["WATCHKEEPER_SLACK__BASE_URL"] = stand_in.base_url
        screen.step(f"No {_TOKEN} is set: a stand-in for Slack is at {stand_in.url}")
        yield stand_in


def _sum_up(screen: Screen, facts: Facts, driver: Driver) -> None:
    def metric(value: float | None) -> str:
        return "nothing was promoted" if value is None else f"{value:.4f}"

    families = [str(incident["family"]).replace("_", " ") for incident in facts.incidents]
    rows = [
        ("rows served", f"{facts.rows_served:,}"),
        ("failed requests", str(facts.failed_requests)),
        ("windows checked", str(facts.windows)),
        ("incidents", f"{len(facts.incidents)} ({', '.join(families) or 'none'})"),
        ("left to the digest", f"{facts.drift_findings} (drift without proven harm)"),
        ("messages delivered", f"{facts.messages_delivered} (posts, edits and replies)"),
        ("retrains", f"{facts.retrains}, of these promoted {facts.promotions}"),
        ("retrains refused", str(facts.retrains_refused)),
        ("retrains held back", f"{facts.retrains_held} (broken input)"),
        (f"{facts.metric}, first version", metric(facts.champion_before)),
        (f"{facts.metric}, final champion", metric(facts.champion_after)),
        ("", "both on the rows served after the last promotion"),
        ("seconds", f"{facts.seconds:.0f}"),
    ]
    screen.summary(rows, "What happened")
    for error in driver.errors[:5]:
        screen.step(f"failed request: {error}")
