from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pandas as pd
import pytest

import watchkeeper
from watchkeeper.client import Client
from watchkeeper.errors import (
    CapacityError,
    ConfigurationError,
    InputError,
    NotFoundError,
    RecordError,
    TooLargeError,
)

Reply = tuple[int, Any, dict[str, str]]


class Server:
    """Answers with the replies that it was given, one after the other; None cuts the line."""

    def __init__(self) -> None:
        self.replies: list[Reply | None] = []
        self.requests: list[tuple[str, Any, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.requests.append((self.path, body, dict(self.headers)))
                reply = outer.replies.pop(0)
                if reply is None:
                    self.close_connection = True
                    return
                status, answer, headers = reply
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/behind"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def answers(*ids: str) -> Reply:
    return 200, {"predictions": [{"prediction_id": identifier} for identifier in ids]}, {}


def test_a_lost_answer_is_asked_for_again_under_the_same_id(server: Server) -> None:
    server.replies = [None, (503, {"detail": "full"}, {"Retry-After": "0"}), None, answers("x")]

    with Client(server.url, token="t") as client:
        assert client.predict("a model", [{"features": {"a": 1}}]) == [{"prediction_id": "x"}]

    assert len({body["records"][0]["prediction_id"] for _, body, _ in server.requests}) == 1
    path, _, headers = server.requests[0]
    assert path == "/behind/v1/models/a%20model/predict"
    assert headers["Authorization"] == "Bearer t"


def test_a_connection_that_the_server_has_closed_meanwhile_is_no_failure(server: Server) -> None:
    answer: Reply = (200, {"predictions": []}, {})
    server.replies = [answer, None, answer]
    with Client(server.url, patience=0.0) as client:
        client.predict("flights", [{"prediction_id": "a", "features": {}}])
        client.predict("flights", [{"prediction_id": "b", "features": {}}])

    sent = [body["records"][0]["prediction_id"] for _, body, _ in server.requests]
    assert sent == ["a", "b", "b"]


def test_many_records_go_in_several_requests_and_errors_name_the_right_one(server: Server) -> None:
    problem = {"detail": "…", "errors": [{"record": 7, "field": "features.a", "expected": "no"}]}
    server.replies = [answers(*[str(i) for i in range(1000)]), (422, problem, {})]

    with Client(server.url) as client, pytest.raises(RecordError) as caught:
        client.predict("m", ({"features": {}} for _ in range(1500)), version=3)

    assert (caught.value.record, caught.value.field) == (1007, "features.a")
    assert server.requests[0][0].endswith("/v1/models/m/versions/3/predict")


def test_what_python_and_pandas_hold_becomes_json(server: Server) -> None:
    server.replies = [(200, {"accepted": 1}, {})]
    features = {
        "nan": float("nan"),
        "number": np.float64(2.5),
        "missing": np.float32("nan"),
        "flag": np.bool_(True),
        "day": date(2013, 6, 1),
        "at": pd.Timestamp("2013-06-01T12:00:00Z"),
        "never": pd.NaT,
        "list": (1, float("nan")),
    }
    with Client(server.url) as client:
        at = datetime(2013, 6, 1, tzinfo=UTC)
        prediction = {"prediction_id": "a", "features": features, "timestamp": at}
        assert client.log_predictions("m", [prediction]) == 1

    (_, body, _) = server.requests[0]
    assert body["predictions"][0]["timestamp"] == "2013-06-01T00:00:00+00:00"
    assert body["predictions"][0]["features"] == {
        "nan": None,
        "number": 2.5,
        "missing": None,
        "flag": True,
        "day": "2013-06-01",
        "at": "2013-06-01T12:00:00+00:00",
        "never": None,
        "list": [1, None],
    }


@pytest.mark.parametrize(
    ("value", "problem"), [(object(), "got object"), (float("inf"), "not JSON compliant")]
)
def test_what_json_cannot_hold_is_refused(server: Server, value: Any, problem: str) -> None:
    with Client(server.url) as client, pytest.raises((InputError, ValueError), match=problem):
        client.log_labels("m", [{"prediction_id": "a", "y_true": value}])


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        ((404, {"detail": "no model 'm'; there is: n"}, {}), NotFoundError, "no model 'm'"),
        ((404, b"<html>", {}), InputError, "expected JSON from the server"),
        ((401, {"detail": "expected a valid token"}, {}), ConfigurationError, "token: expected"),
        ((413, {"detail": "too much"}, {}), TooLargeError, "too much"),
        ((422, {"detail": "odd"}, {}), RecordError, "odd"),
        ((500, [], {}), InputError, "status 500"),
    ],
)
def test_an_error_of_the_server_is_one_of_ours(
    server: Server, reply: Reply, error: type[Exception], message: str
) -> None:
    server.replies = [reply]

    with Client(server.url) as client, pytest.raises(error, match=message):
        client.log_labels("m", [{"prediction_id": "a", "y_true": 1}])


def test_patience_has_an_end() -> None:
    with Client("http://127.0.0.1:9", patience=0.2) as client:
        with pytest.raises(CapacityError, match="Connection"):
            client.predict("m", [{"features": {}}])


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", ""])
def test_an_address_must_be_one(url: str) -> None:
    with pytest.raises(ConfigurationError, match="expected http"):
        Client(url)


def test_no_records_are_no_request() -> None:
    with Client("http://127.0.0.1:9") as client:
        assert client.predict("m", []) == []


def test_it_is_a_public_name() -> None:
    public: Callable[..., Any] = watchkeeper.Client
    assert public is Client
    assert "Client" in watchkeeper.__all__
