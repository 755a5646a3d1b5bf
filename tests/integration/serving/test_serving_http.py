from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from serving.artifact import LoadedModel
from serving.http import Limits
from serving.spool import Spool
from watchkeeper.client import Client
from watchkeeper.errors import NotFoundError, RecordError

FEATURES: dict[str, Any] = {"distance": 700.0, "hour": 20, "carrier": "UA"}
GOOD = json.dumps({"records": [{"features": FEATURES}]}).encode()
JSON = {"content-type": "application/json"}


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = response.json()
    assert content["status"] == status
    return content


def test_predict_answers_each_record_in_order(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    server = serve()

    response = server.predict(FEATURES, FEATURES | {"hour": 1})

    assert response.status_code == 200
    first, second = response.json()["predictions"]
    assert set(first) == {"prediction_id", "version", "y_pred", "y_pred_proba", "served_by"}
    assert (first["version"], first["served_by"], first["y_pred"]) == (1, "champion:1", 1)
    assert second["y_pred"] == 0


def test_a_version_may_be_pinned_by_its_address(house: Any, serve: Any) -> None:
    house.register(seed=1)
    house.deploy(house.register(seed=2))
    server = serve()

    answer = server.http.post("/v1/models/flights/versions/1/predict", content=GOOD, headers=JSON)
    assert answer.json()["predictions"][0]["served_by"] == "pinned:1"

    unknown = server.http.post("/v1/models/flights/versions/9/predict", content=GOOD, headers=JSON)
    assert "no version of flights '9'" in problem(unknown, 404)["detail"]


def test_what_is_wrong_with_a_record_is_said_by_record_and_field(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    server = serve()

    content = problem(
        server.predict(FEATURES, FEATURES | {"hour": None}, {"hour": 1, "carrier": "AA"}), 422
    )

    assert content["errors"] == [
        {"record": 1, "field": "features.hour", "expected": "expected a number, got null"},
        {
            "record": 2,
            "field": "features.distance",
            "expected": "missing; expected a number or null",
        },
    ]


@pytest.mark.parametrize(
    ("method", "path", "content", "headers", "status"),
    [
        ("POST", "/v1/models/nobody/predict", GOOD, JSON, 404),
        ("POST", "/v1/models/nobody/labels", b'{"labels": []}', JSON, 404),
        ("POST", "/v1/models/flights/versions/x/predict", GOOD, JSON, 404),
        ("POST", "/nowhere", GOOD, JSON, 404),
        ("GET", "/v1/models/flights/predict", b"", {}, 405),
        ("PUT", "/v1/models/flights/labels", GOOD, JSON, 405),
        ("POST", "/v1/models/flights/predict", GOOD, {"content-type": "text/plain"}, 415),
        ("POST", "/v1/models/flights/predict", GOOD, {"content-type": ""}, 415),
        (
            "POST",
            "/v1/models/flights/predict",
            GOOD,
            {"content-type": "application/json; charset=latin-1"},
            415,
        ),
        ("POST", "/v1/models/flights/predict", GOOD, JSON | {"content-encoding": "gzip"}, 415),
        ("POST", "/v1/models/flights/predict", b" " * 2000, JSON, 413),
        ("POST", "/v1/models/flights/predict", b"{", JSON, 422),
        ("POST", "/v1/models/flights/predict", b"", JSON, 422),
        ("POST", "/v1/models/%00/predict", GOOD, JSON, 404),
        ("POST", "/v1/models/..%2f..%2fetc/predict", GOOD, JSON, 404),
    ],
)
def test_a_wrong_request_gets_a_problem(  # noqa: PLR0917 - a row of the table each
    house: Any, serve: Any, method: str, path: str, content: bytes, headers: Any, status: int
) -> None:
    house.deploy(house.register())
    server = serve(limits=Limits(max_body_bytes=1000))

    response = server.http.request(method, path, content=content, headers=headers)

    assert problem(response, status)["detail"]
    if status == 405:
        assert response.headers["allow"] == "POST"


def test_json_with_a_charset_is_json(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    headers = {"content-type": 'Application/JSON; charset="UTF-8"'}

    response = serve().http.post("/v1/models/flights/predict", content=GOOD, headers=headers)

    assert response.status_code == 200


def test_a_body_that_grows_too_large_without_saying_so_is_cut_off(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    server = serve(limits=Limits(max_body_bytes=1000))

    response = server.http.post(
        "/v1/models/flights/predict", content=(b" " * 100 for _ in range(50)), headers=JSON
    )

    problem(response, 413)


def test_too_many_records_are_too_large(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    server = serve(max_records=2)

    assert "at most 2 at once, got 3" in problem(server.predict(*[FEATURES] * 3), 413)["detail"]


def test_a_body_that_never_ends_is_given_up(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    server = serve(limits=Limits(body_seconds=0.2))
    address = (server.http.base_url.host, server.http.base_url.port)

    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(
            b"POST /v1/models/flights/predict HTTP/1.1\r\nhost: x\r\n"
            b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(
            b"POST /v1/models/flights/predict HTTP/1.1\r\nhost: x\r\n"
            b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
    assert server.predict(FEATURES).status_code == 200


def test_a_token_is_asked_for(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    server = serve(token="secret")

    refused = server.predict(FEATURES)
    assert refused.headers["www-authenticate"] == "Bearer"
    problem(refused, 401)
    for header in ("Bearer wrong", "Basic secret", "Bearer"):
        server.http.headers["authorization"] = header
        problem(server.predict(FEATURES), 401)
    server.http.headers["authorization"] = "bearer secret"
    assert server.predict(FEATURES).status_code == 200


def test_labels_and_foreign_predictions_are_accepted(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    server = serve()
    labels = {"labels": [{"prediction_id": "a", "y_true": True}]}
    predictions = {"predictions": [{"prediction_id": "a", "features": FEATURES, "y_pred": 1}]}

    assert server.http.post("/v1/models/flights/labels", json=labels).json() == {"accepted": 1}
    assert server.http.post("/v1/models/flights/predictions", json=predictions).json() == {
        "accepted": 1
    }

    house.ship()
    assert [row["prediction_id"] for row in house.logged()] == ["a"]


def test_a_full_spool_sheds_with_retry_after_and_loses_nothing(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    house.spool.close()
    house.spool = Spool(house.home / "spool", max_rows=2, max_bytes=10**6)
    server = serve()
    assert server.predict(FEATURES, FEATURES).status_code == 200

    response = server.predict(FEATURES)

    problem(response, 503)
    assert int(response.headers["retry-after"]) >= 1
    house.ship()
    assert server.predict(FEATURES).status_code == 200
    house.ship()
    assert len(house.logged()) == 3


def test_more_than_may_be_in_flight_is_turned_away(
    house: Any, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.deploy(house.register())
    server = serve(limits=Limits(max_in_flight=1))
    working, go_on = threading.Event(), threading.Event()
    score = LoadedModel.score

    def slow(self: LoadedModel, columns: Any) -> Any:
        working.set()
        go_on.wait(10)
        return score(self, columns)

    monkeypatch.setattr(LoadedModel, "score", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(server.predict, FEATURES)
        working.wait(10)
        problem(server.predict(FEATURES), 503)
        assert server.http.get("/live").status_code == 200
        go_on.set()
        assert first.result().status_code == 200
    assert server.registry.get_sample_value("watchkeeper_requests_shed_total") == 1


def test_health_says_what_is_served(house: Any, serve: Any) -> None:
    server = serve()
    assert server.http.get("/live").status_code == 200
    assert server.http.get("/ready").status_code == 200

    version = house.register()
    house.deploy(version)
    server.predictor.refresh()
    assert server.http.get("/ready").json() == {
        "status": "ready",
        "models": {"flights": 1},
        "problems": {},
    }

    server.app.drain()
    assert server.http.get("/ready").status_code == 503
    assert server.http.get("/live").status_code == 200
    problem(server.predict(FEATURES), 503)


def test_requests_are_counted_and_strangers_add_no_names(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    server = serve()
    server.predict(FEATURES, FEATURES)
    server.predict({})
    server.predict(FEATURES, model="nobody")
    server.http.post("/v1/models/somebody/predict", content=b"", headers={"content-type": "x"})

    def value(name: str, **labels: str) -> Any:
        return server.registry.get_sample_value(f"watchkeeper_{name}", labels)

    assert value("requests_total", route="predict", model="flights", status="200") == 1
    assert value("requests_total", route="predict", model="flights", status="422") == 1
    assert value("requests_total", route="predict", model="-", status="404") == 1
    assert value("requests_total", route="predict", model="-", status="415") == 1
    assert value("rows_total", route="predict", model="flights") == 2
    assert value("request_seconds_count", route="predict") == 4
    assert value("spool_rows") == 2


def test_a_swap_under_load_fails_no_request(house: Any, serve: Any) -> None:
    versions = [house.register(seed=seed, fast=seed % 2 == 0) for seed in range(4)]
    house.deploy(versions[0])
    server = serve(keep=2)
    stopped = threading.Event()
    statuses: list[int] = []
    served: set[str] = set()

    def load() -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not stopped.is_set():
                response = client.post("/v1/models/flights/predict", content=GOOD, headers=JSON)
                statuses.append(response.status_code)
                served.add(response.json()["predictions"][0]["served_by"])

    with ThreadPoolExecutor(8) as pool:
        loads = [pool.submit(load) for _ in range(8)]
        for number in range(12):
            house.deploy(versions[number % 4])
            server.predictor.refresh()
            time.sleep(0.05)
        stopped.set()
        for one in loads:
            one.result()

    assert set(statuses) == {200}
    assert served == {f"champion:{version.version}" for version in versions}
    house.ship()
    assert len(house.logged()) == len(statuses)


def test_the_end_of_a_server_finishes_what_is_in_flight_and_then_flushes(
    house: Any, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.deploy(house.register())
    server = serve(on_shutdown=house.ship)
    score = LoadedModel.score

    def slow(self: LoadedModel, columns: Any) -> Any:
        time.sleep(0.5)
        return score(self, columns)

    monkeypatch.setattr(LoadedModel, "score", slow)
    with ThreadPoolExecutor(4) as pool, Client(server.url) as client:
        record = {"features": FEATURES}
        requests = [pool.submit(client.predict, "flights", [record]) for _ in range(4)]
        time.sleep(0.2)
        server.stop()
        answers = [request.result() for request in requests]

    assert len(house.logged()) == len(answers) == 4


def test_the_client_names_what_is_wrong_and_sends_again_under_the_same_ids(
    house: Any, serve: Any
) -> None:
    house.deploy(house.register())
    server = serve()
    rows = [{"features": FEATURES, "prediction_id": f"r{i}"} for i in range(2500)]
    labels = ({"prediction_id": row["prediction_id"], "y_true": 1} for row in rows)
    with Client(server.url) as client:
        answers = client.predict("flights", rows)
        assert [a["prediction_id"] for a in answers] == [row["prediction_id"] for row in rows]
        client.predict("flights", rows[:10])
        assert client.log_labels("flights", labels) == 2500
        rows[1234]["features"] = {}
        with pytest.raises(RecordError, match=r"records\[1234\]\.features\.distance: missing"):
            client.predict("flights", rows)
        with pytest.raises(NotFoundError):
            client.predict("nobody", rows[:1])
    house.ship()

    assert len(house.logged()) == 2500
