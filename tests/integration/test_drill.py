"""A drill: found, told and answered on a copy; the real database keeps only its record."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from litestar.testing import TestClient
from sqlalchemy import func, select

from alerts.rows import DeliveryRow, DrillRow, IncidentRow, SeriesRow
from alerts.stand_in import Fault, FaultKind
from feeding import DAY, SCHEMA, START, Feed, flights
from receiving import Receiver
from service.bootstrap import Service
from service.drill.fault import parse_fault
from service.drill.http import drill_router
from service.drill.run import DrillResult, Wish, drill
from service.start import open_service
from service.web.tokens import Role, Tokens
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read, write
from watchkeeper.errors import ConflictError, DeliveryError, NotFoundError
from watchkeeper.migrations import upgrade
from watchkeeper.registry.repository import Deployments, ModelVersions

WATCHKEEPER = Path(sys.executable).with_name("watchkeeper")
MODEL = {
    "model": "flights",
    "task": "binary",
    "owner": {"name": "Ada Byron", "slack": "U0ADA", "team": "flights", "channel": "C0FLIGHTS"},
    "timestamp": "scheduled_at",
    "prediction": {"score": "y_pred_proba"},
    "label": {"column": "late", "delay": "1d"},
    "windows": {"size": "1d"},
    "tolerance": {"metric": "log_loss", "rise": "20%"},
    "retrain": {"command": "train.py:train"},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A project with four evaluated days of a model in service."""
    home = tmp_path_factory.mktemp("drill")
    (home / "models").mkdir()
    (home / "state").mkdir()
    (home / "watchkeeper.yaml").write_text("{}\n")
    (home / "train.py").write_text("def train(context): ...\n")
    (home / "models" / "flights.yaml").write_text(yaml.safe_dump(MODEL))
    start, day = START, DAY
    clock = SteppedClock(start + 5 * day)
    service = open_service(home, {}, clock=clock)
    upgrade(service.engine)
    settings = service.models["flights"]
    with write(service.engine) as session:
        ModelVersions(session).add(
            name="flights", schema=SCHEMA, artifact_sha256="0" * 64,
            artifact_format="onnx", at=start,
        )  # fmt: skip
        Deployments(session).append("flights", 1, decided_by="test", reason="first", at=start)
    feed = Feed.with_reference(service.engine, home)
    rows = flights(start, 4, 1)
    feed.ship(rows, start + 4 * day)
    feed.label(rows, start + 4 * day)
    assert feed.tick(clock.now(), settings)
    yield service
    service.engine.dispose()


def run(service: Service, *faults: str, **wish: Any) -> tuple[DrillResult, list[str]]:
    said: list[str] = []
    found = [parse_fault(text) for text in faults]
    asked = Wish(by="test", **{"stand_in": True, **wish})
    return drill(service, "flights", found, asked, said.append), said


def counts(service: Service) -> dict[str, int]:
    tables = (IncidentRow, SeriesRow, DeliveryRow)
    with read(service.engine) as session:
        return {t.__tablename__: session.scalar(select(func.count()).select_from(t)) or 0
                for t in tables}  # fmt: skip


def test_a_fault_is_found_told_and_would_hold_a_retrain(service: Service) -> None:
    result, said = run(service, "nulls:distance:30%")

    assert result.severity in {"ticket", "page"}
    assert result.told == ("slack:C0FLIGHTS",)
    assert result.owner == "U0ADA"
    assert result.found_after is not None
    assert result.accepted_after is not None
    assert result.found_after < result.accepted_after < 60
    assert result.held is not None
    assert "distance" in said[0]
    assert said[-1].startswith("a retrain would have been held: ")


def test_only_the_record_stays(service: Service) -> None:
    before = counts(service)
    result, _ = run(service, "nulls:wind:100%")

    assert counts(service) == before
    with read(service.engine) as session:
        row = session.get_one(DrillRow, result.number)
        assert (row.model, row.faults, row.held) == ("flights", ["nulls:wind:100%"], True)


def test_the_message_is_marked_and_its_button_ends_the_drill(service: Service) -> None:
    seen: dict[str, Any] = {}

    def press(line: str) -> None:
        url = re.search(r"http://\S+", line)
        if "stand-in" in line and url:
            threading.Thread(target=answer, args=(url[0],)).start()

    def answer(url: str) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            state = json.loads(opener.open(f"{url}state.json", timeout=5).read())
            messages = [m for room in state["channels"] for m in room["messages"]]
            if messages:
                seen.update(messages[0])
                click = {"channel": "C0FLIGHTS", "ts": messages[0]["ts"]}
                body = json.dumps({**click, "action_id": "drill.ack", "user": "U0YOU"}).encode()
                opener.open(f"{url}click", data=body, timeout=5).read()
                return
            time.sleep(0.05)

    wish = Wish(by="test", stand_in=True, wait=timedelta(seconds=60))
    faults = [parse_fault("constant:carrier:XX")]
    result = drill(service, "flights", faults, wish, press)

    assert result.acknowledged_by == "you"
    assert result.acknowledged_after is not None
    assert seen["text"].startswith("DRILL. ")
    assert "Nothing real is wrong." in seen["text"]
    title = next(block for block in seen["blocks"] if block["type"] == "header")
    assert title["text"]["text"].startswith("DRILL · ")
    actions = [block for block in seen["blocks"] if block["type"] == "actions"]
    assert [each["action_id"] for block in actions for each in block["elements"]] == ["drill.ack"]


TEAMS = """
webhooks: {{ops: {{url: "{url}/in"}}}}
pagerduty: {{ops: {{url: "{url}"}}}}
teams:
  flights:
    page: [pagerduty:ops, webhook:ops]
    ticket: [pagerduty:ops, webhook:ops]
"""


@pytest.fixture
def with_teams(service: Service, tmp_path: Path) -> Iterator[tuple[Service, Receiver]]:
    """The same project, told through PagerDuty and a webhook."""
    home = tmp_path / "home"
    shutil.copytree(service.settings.home, home)
    receiver = Receiver()
    text = TEAMS.format(url=receiver.url)
    (home / "watchkeeper.yaml").write_text(text)
    secrets = {
        "WATCHKEEPER_WEBHOOKS__OPS__SECRET": "a-secret-of-the-test",
        "WATCHKEEPER_PAGERDUTY__OPS__KEY": "0123456789abcdef0123456789abcdef",
    }
    opened = open_service(home, secrets, clock=service.clock)
    yield opened, receiver
    opened.engine.dispose()
    receiver.server.shutdown()
    receiver.server.server_close()


def test_the_channels_of_the_team_are_drilled_and_no_case_stays_open(
    with_teams: tuple[Service, Receiver],
) -> None:
    service, receiver = with_teams
    result, said = run(service, "nulls:distance:30%", stand_in=False)

    assert set(result.told) == set(result.told_after) == {"pagerduty:ops", "webhook:ops"}
    events = [data for data in receiver.accepted.values() if "event_action" in data]
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert len({event["dedup_key"] for event in events}) == 1
    assert events[0]["dedup_key"].endswith(f"-drill-{result.number}")
    assert events[0]["payload"]["summary"].startswith("DRILL: ")
    told = [data for data in receiver.accepted.values() if "kind" in data]
    assert [(each["drill"], each["state"]) for each in told] == [(True, "open"), (True, "resolved")]
    assert not [line for line in said if "by hand" in line]


def test_a_case_that_cannot_be_ended_is_named(with_teams: tuple[Service, Receiver]) -> None:
    service, receiver = with_teams
    receiver.faults = [*[None] * 2, *[Fault(kind=FaultKind.STATUS)] * 6]
    _, said = run(service, "nulls:distance:30%", stand_in=False)

    assert [line for line in said if "by hand" in line] == [
        "pagerduty:ops was not told that the drill is over: close its case by hand",
        "webhook:ops was not told that the drill is over: close its case by hand",
    ]


@pytest.fixture
def over_http(with_teams: tuple[Service, Receiver]) -> Iterator[Any]:
    """Ask the service by HTTP, with the token of a role."""
    service, _ = with_teams
    with write(service.engine) as session:
        tokens = {role: Tokens(session).issue(f"{role} {uuid4()}", role) for role in Role}
    app = service.web_app(drill_router(service))
    with TestClient(app, base_url="http://127.0.0.1") as client:

        def ask(role: Role, path: str, body: Any) -> Any:
            headers = {"Authorization": f"Bearer {tokens[role]}"}
            return client.post(f"/v1{path}", json=body, headers=headers)

        yield ask


def test_a_drill_is_made_and_a_channel_tried_over_http(
    over_http: Any, with_teams: tuple[Service, Receiver]
) -> None:
    made = over_http(Role.OPERATOR, "/models/flights/drill", {"faults": ["nulls:distance:30%"]})
    assert made.status_code == 200
    assert set(made.json()["told"]) == {"pagerduty:ops", "webhook:ops"}
    tried = over_http(Role.OPERATOR, "/channels/test", {"destination": "webhook:ops"})
    assert (tried.status_code, tried.json()["outcome"]) == (200, "sent")
    with_teams[1].faults = [Fault(kind=FaultKind.STATUS, status=403)]
    refused = over_http(Role.OPERATOR, "/channels/test", {"destination": "webhook:ops"})
    assert (refused.json()["outcome"], refused.json()["error"]) == ("bad_destination", "http_403")


@pytest.mark.parametrize(
    ("path", "body", "status", "named"),
    [
        ("/models/flights/drill", {"faults": ["nulls:distanc:30%"]}, 404, "distanc"),
        ("/models/boats/drill", {"faults": ["nulls:distance:30%"]}, 404, "boats"),
        ("/models/flights/drill", {"faults": ["nulls"]}, 409, "nulls:COLUMN:30%"),
        ("/models/flights/drill", {"faults": []}, 400, "faults"),
        ("/models/flights/drill", {"faults": ["x"], "channel": "#ops"}, 400, "channel"),
        ("/channels/test", {"destination": "slack:C0FLIGHTS"}, 400, "not configured"),
        ("/channels/test", {"destination": "pigeon"}, 400, "destination"),
    ],
)
def test_over_http_a_wrong_wish_is_named_and_nobody_below_an_operator_has_one(
    over_http: Any, path: str, body: Any, status: int, named: str
) -> None:
    answer = over_http(Role.OPERATOR, path, body)
    assert (answer.status_code, named in answer.text) == (status, True), answer.text
    assert over_http(Role.RESPONDER, path, body).status_code == 403


def test_nobody_answers_in_time(service: Service) -> None:
    result, said = run(service, "nulls:distance:50%", wait=timedelta(seconds=0.3))

    assert result.acknowledged_after is None
    assert "nobody acknowledged it in 0 s" in said


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("nulls:distanc:30%", NotFoundError, "no feature 'distanc'; there is: distance"),
        ("scale:carrier:10", ConflictError, "carrier is not a number"),
        ("nulls:distance:130%", ConflictError, "expected a share"),
        ("nulls:distance", ConflictError, "as in nulls:COLUMN:30%"),
        ("scale:distance:much", ConflictError, "expected a number"),
    ],
)
def test_what_cannot_be_drilled_is_said_in_one_line(
    service: Service, fault: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)) as raised:
        run(service, fault)
    assert "\n" not in str(raised.value)


def test_without_a_channel_nobody_can_be_told(service: Service) -> None:
    with pytest.raises(DeliveryError, match="--stand-in needs none"):
        run(service, "nulls:distance:30%", stand_in=False)


def test_the_command_writes_the_times(service: Service, tmp_path: Path) -> None:
    ended = subprocess.run(
        [WATCHKEEPER, "drill", "flights", "--fault", "scale:distance:1000", "--stand-in",
         "--no-wait", "--home", service.settings.home, "--json", tmp_path / "drill.json"],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert "found in " in ended.stdout
    assert json.loads((tmp_path / "drill.json").read_text())["faults"] == ["scale:distance:1000"]
