from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from litestar import Litestar, get
from litestar.testing import TestClient
from prometheus_client import CollectorRegistry, Counter

from service.web.app import create_app
from service.web.context import Web
from watchkeeper.errors import CapacityError, RecordError


def test_models_are_listed_with_health_and_paging(client: TestClient[Any]) -> None:
    body = client.get("/v1/models").json()
    assert body["paging"] == {"number": 1, "size": 50, "total": 1}
    row = body["rows"][0]
    assert row["name"] == "flights"
    assert row["champion"] == 2
    assert row["metric"] == "roc_auc"
    assert row["health"] in {"critical", "warning"}
    assert row["last"]["window"]["start"] == "2013-06-20T04:00:00Z"


def test_one_model_is_told_in_full(client: TestClient[Any]) -> None:
    body = client.get("/v1/models/flights").json()
    assert len(body["timeline"]["points"]) == 20
    assert {card["name"] for card in body["features"]["cards"]} >= {"wind_gust", "visib"}
    assert body["deployments"][0]["version"] == 2


def test_windows_are_paged_newest_first(client: TestClient[Any]) -> None:
    body = client.get("/v1/models/flights/windows?size=5&page=2").json()
    assert body["paging"] == {"number": 2, "size": 5, "total": 20}
    starts = [row["window"]["start"] for row in body["rows"]]
    assert starts == sorted(starts, reverse=True)
    assert starts[0] == "2013-06-15T04:00:00Z"


def test_incidents_and_runs_are_told_by_number(client: TestClient[Any]) -> None:
    listed = client.get("/v1/incidents?state=all").json()
    assert listed["paging"]["total"] >= 2
    one = client.get(f"/v1/incidents/{listed['rows'][0]['id']}").json()
    assert one["audit"]
    runs = client.get("/v1/runs").json()
    assert runs["paging"]["total"] == 3
    for row in runs["rows"]:
        assert client.get(f"/v1/runs/{row['id']}").json()["row"] == row


def test_an_error_is_a_problem_that_a_program_can_read(client: TestClient[Any]) -> None:
    answer = client.get("/v1/models/churn")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Nothing is here",
        "status": 404,
        "detail": "no model 'churn'",
    }


def test_a_wrong_parameter_is_named_in_the_problem(client: TestClient[Any]) -> None:
    problem = client.get("/v1/models?size=1000").json()
    assert problem["status"] == 400
    assert problem["errors"][0]["key"] == "size"


def test_the_api_describes_itself_without_help_from_elsewhere(client: TestClient[Any]) -> None:
    answer = client.get("/schema", headers={"accept": "application/json"})
    assert answer.status_code == 200
    paths = answer.json()["paths"]
    assert {"/v1/models", "/v1/models/{name}/windows", "/v1/incidents/{key}"} <= set(paths)
    assert "http" not in answer.text.replace('"scheme":"bearer"', "").replace('"type":"http"', "")


def test_metrics_are_those_of_the_registry(
    web: Web, seen_from: Callable[[str, Litestar], Any]
) -> None:
    registry = CollectorRegistry()
    Counter("predictions", "Predictions served.", registry=registry).inc(3)
    app = seen_from("127.0.0.1", create_app(web, registry=registry))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.get("/metrics")
    assert "predictions_total 3.0" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.fixture
def failing(web: Web) -> Litestar:
    @get("/v1/broken", sync_to_thread=False)
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    @get("/v1/full", sync_to_thread=False)
    def full() -> None:
        raise CapacityError("the spool is full")

    @get("/v1/record", sync_to_thread=False)
    def record() -> None:
        raise RecordError("expected a number", record=2, field="features.x")

    return create_app(web, registry=CollectorRegistry(), more=(broken, full, record))


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_what_nobody_foresaw_is_logged_and_not_shown(failing: Litestar, accept: str) -> None:
    with TestClient(failing, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        answer = client.get("/v1/broken", headers={"accept": accept})
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json()["title"] == "Something went wrong here"


def test_a_refusal_names_its_reason_record_and_field(failing: Litestar) -> None:
    with TestClient(failing, base_url="http://127.0.0.1") as client:
        assert client.get("/v1/full").status_code == 503
        problem = client.get("/v1/record").json()
    assert (problem["status"], problem["record"], problem["field"]) == (422, 2, "features.x")
