"""What programs do about incidents and silences over HTTP, and what they may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from alerts.repository import Incidents
from service.web.context import Web
from service.web.tokens import Role
from watchkeeper.database import read

Ask = Callable[..., Any]
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def ask(guarded: Litestar, tokens: dict[Role, str]) -> Any:
    with TestClient(guarded, base_url="http://127.0.0.1") as client:

        def send(role: Role | None, method: str, path: str, body: Any = None) -> Any:
            headers = {} if role is None else {"Authorization": f"Bearer {tokens[role]}"}
            return client.request(method, f"/v1{path}", json=body, headers=headers)

        yield send


@pytest.fixture
def number(web: Web) -> int:
    """Return the number of an incident that is open."""
    with read(web.engine) as session:
        found = [each for each in Incidents(session).unfinished() if str(each.state) == "open"]
    return found[0].id


def test_an_incident_is_taken_put_off_judged_and_ended(ask: Ask, number: int) -> None:
    at = f"/incidents/{number}"
    taken = ask(Role.RESPONDER, "POST", f"{at}/acknowledge")
    assert (taken.status_code, taken.json()["row"]["acknowledged_by"]) == (200, "responder")
    off = ask(Role.RESPONDER, "POST", f"{at}/snooze", {"lasts": "4h"})
    assert (off.status_code, off.json()["row"]["state"]) == (200, "snoozed")
    judged = ask(Role.OPERATOR, "POST", f"{at}/verdict", {"verdict": "data_bug"})
    assert judged.status_code == 200
    over = ask(Role.RESPONDER, "POST", f"{at}/resolve", {"reason": "the feed is back"})
    assert (over.status_code, over.json()["row"]["state"]) == (200, "resolved")
    assert "the feed is back" in str(over.json()["audit"])

    again = ask(Role.RESPONDER, "POST", f"{at}/acknowledge")
    assert again.status_code == 409
    assert again.headers["content-type"].startswith("application/problem+json")


def test_an_incident_is_put_off_until_something_happens(ask: Ask, number: int) -> None:
    off = ask(Role.RESPONDER, "POST", f"/incidents/{number}/snooze", {"until": "labels"})

    assert (off.status_code, off.json()["row"]["state"]) == (200, "snoozed")


def test_a_silence_is_tried_made_listed_and_ended(ask: Ask) -> None:
    wanted = {"reason": "a new sensor", "lasts": "3d", "model": "fl*"}
    tried = ask(Role.RESPONDER, "POST", "/silences", {**wanted, "dry_run": True}).json()
    assert tried["silence"]["id"] is None
    assert {each["model"] for each in tried["covers"]} == {"flights"}
    assert ask(Role.VIEWER, "GET", "/silences").json() == []

    made = ask(Role.RESPONDER, "POST", "/silences", wanted)
    assert made.status_code == 201
    assert made.json()["covers"] == tried["covers"]
    (listed,) = ask(Role.VIEWER, "GET", "/silences").json()
    assert (listed["author"], listed["reason"]) == ("responder", "a new sensor")
    assert ask(Role.RESPONDER, "DELETE", f"/silences/{listed['id']}").status_code == 200
    assert ask(Role.VIEWER, "GET", "/silences").json() == []
    assert ask(Role.RESPONDER, "DELETE", "/silences/99").status_code == 404


ACTS = [
    ("POST", "/incidents/1/acknowledge", None),
    ("POST", "/incidents/1/snooze", {"lasts": "4h"}),
    ("POST", "/incidents/1/verdict", {"verdict": "noise"}),
    ("POST", "/incidents/1/resolve", {}),
    ("POST", "/silences", {"reason": "x", "lasts": "1h"}),
    ("DELETE", "/silences/1", None),
]


@ON_SQLITE
@pytest.mark.parametrize(("method", "path", "body"), ACTS)
def test_a_viewer_acts_on_nothing_and_a_stranger_even_less(
    ask: Ask, method: str, path: str, body: Any
) -> None:
    assert ask(Role.VIEWER, method, path, body).status_code == 403
    assert ask(None, method, path, body).status_code == 401


@ON_SQLITE
@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/incidents/1/snooze", {}, "lasts"),
        ("/incidents/1/snooze", {"lasts": "soon"}, "lasts"),
        ("/incidents/1/snooze", {"until": "never"}, "until"),
        ("/incidents/1/verdict", {"verdict": "bad"}, "verdict"),
        ("/incidents/1/resolve", {"reason": "x" * 501}, "reason"),
        ("/silences", {"lasts": "1h"}, "reason"),
        ("/silences", {"reason": "x", "lasts": "1h", "modell": "flights"}, "modell"),
        ("/silences", {"reason": "x", "lasts": "1h", "family": "weather"}, "family"),
        ("/silences", [1], "object"),
    ],
)
def test_a_wrong_field_is_named(ask: Ask, path: str, body: Any, named: str) -> None:
    answer = ask(Role.ADMIN, "POST", path, body)

    assert answer.status_code == 400
    assert named in answer.text
    assert "Traceback" not in answer.text


def test_what_lasts_too_long_cannot_be_done(ask: Ask, number: int) -> None:
    long = ask(Role.ADMIN, "POST", "/silences", {"reason": "x", "lasts": "31d"})
    assert (long.status_code, "30 days" in long.text) == (409, True)
    off = ask(Role.ADMIN, "POST", f"/incidents/{number}/snooze", {"lasts": "15d"})
    assert (off.status_code, "14 days" in off.text) == (409, True)
