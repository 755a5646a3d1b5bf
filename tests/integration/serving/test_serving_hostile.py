from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FEATURES: dict[str, Any] = {"distance": 700.0, "hour": 20, "carrier": "UA"}
GOOD = json.dumps({"records": [{"features": FEATURES}]}).encode()
JSON = {"content-type": "application/json"}

numbers = st.integers() | st.floats() | st.sampled_from([1e308, 10**400, -(2**63), 2**64])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
almost = st.fixed_dictionaries(
    {
        "features": st.fixed_dictionaries(
            {"distance": values, "hour": numbers | values, "carrier": values}
        )
    },
    optional={"prediction_id": values, "timestamp": values, "more": values},
)
bodies = st.one_of(
    st.binary(max_size=80),
    values.map(json.dumps).map(str.encode),
    st.lists(almost, max_size=3).map(lambda r: json.dumps({"records": r}).encode()),
    st.tuples(st.just(GOOD), st.integers(0, len(GOOD)), st.binary(max_size=3)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :]
    ),
)


def test_no_body_makes_the_server_fail(house: Any, serve: Any) -> None:
    house.deploy(house.register())
    house.deploy(house.register(model="hotels", fast=False))
    server = serve()

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        bodies,
        st.sampled_from(["flights", "hotels"]),
        st.sampled_from(["predict", "labels", "predictions"]),
    )
    def check(body: bytes, model: str, route: str) -> None:
        response = server.http.post(f"/v1/models/{model}/{route}", content=body, headers=JSON)
        assert response.status_code in {200, 422}
        assert "NaN" not in response.text

    check()
    assert server.predict(FEATURES).status_code == 200
    house.ship()


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/models/flights/predict HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/models/flights/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /v1/models/flights/labels HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\r\n\r\n",
    ],
)
def test_no_noise_on_the_wire_makes_the_server_fail(house: Any, serve: Any, raw: bytes) -> None:
    house.deploy(house.register())
    server = serve()
    address = (server.http.base_url.host, server.http.base_url.port)

    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1000)

    assert not answer.startswith(b"HTTP/1.1 5")
    assert server.predict(FEATURES).status_code == 200
