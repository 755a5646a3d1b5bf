from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import Engine

from alerts.repository import Incidents
from service.web.context import COOKIE
from service.web.tokens import Role, Tokens
from watchkeeper.database import read, write
from watchkeeper.registry.repository import Deployments

HERE = {"origin": "http://127.0.0.1"}


def test_a_stranger_is_sent_to_the_login_page_and_comes_back_where_he_wanted(
    guarded: Litestar, tokens: dict[Role, str]
) -> None:
    with TestClient(guarded, base_url="http://127.0.0.1") as stranger:
        answer = stranger.get("/incidents?state=all", follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?next=%2Fincidents%3Fstate%3Dall"
        assert "Token" in stranger.get(answer.headers["location"]).text
        form = {"token": f" {tokens[Role.VIEWER]} ", "next": "/incidents?state=all"}
        answer = stranger.post("/login", data=form, headers=HERE, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/incidents?state=all"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert stranger.get("/incidents").status_code == 200
        stranger.post("/logout", headers=HERE)
        assert stranger.get("/incidents", follow_redirects=False).status_code == 303


def test_a_wrong_token_is_told_so_and_sets_no_cookie(guarded: Litestar) -> None:
    with TestClient(guarded, base_url="http://127.0.0.1") as stranger:
        answer = stranger.post("/login", data={"token": "wk_wrong"}, headers=HERE)
        assert answer.status_code == 401
        assert "not known" in answer.text
        assert "set-cookie" not in answer.headers


def test_signing_in_never_leads_to_another_site(guarded: Litestar, tokens: dict[Role, str]) -> None:
    with TestClient(guarded, base_url="http://127.0.0.1") as stranger:
        for target in ("https://evil.example", "//evil.example", "/\\evil.example"):
            form = {"token": tokens[Role.VIEWER], "next": target}
            answer = stranger.post("/login", data=form, headers=HERE, follow_redirects=False)
            assert answer.headers["location"] == "/"


def test_a_link_from_another_site_asks_once_more_so_that_the_strict_cookie_is_sent(
    guarded: Litestar,
) -> None:
    with TestClient(guarded, base_url="http://127.0.0.1") as stranger:
        answer = stranger.get("/login?next=%2F", headers={"sec-fetch-site": "cross-site"})
        assert answer.headers["refresh"] == "0"
        answer = stranger.get("/login?next=%2F", headers={"sec-fetch-site": "same-origin"})
        assert "refresh" not in answer.headers


def test_a_revoked_token_is_worth_nothing_at_once(
    guarded: Litestar, engine: Engine, tokens: dict[Role, str]
) -> None:
    bearer = {"authorization": f"Bearer {tokens[Role.VIEWER]}"}
    with TestClient(guarded, base_url="http://127.0.0.1") as program:
        assert program.get("/v1/models", headers=bearer).status_code == 200
        with write(engine) as session:
            Tokens(session).revoke("viewer")
        answer = program.get("/v1/models", headers=bearer)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["status"] == 401


VISITORS: tuple[tuple[str, dict[str, str], int], ...] = (
    ("127.0.0.1", {"host": "localhost:8000"}, 200),
    ("127.0.0.1", {"host": "127.0.0.1"}, 200),
    ("::1", {"host": "[::1]:8000"}, 200),
    ("10.1.2.3", {"host": "localhost"}, 303),
    ("127.0.0.1", {"host": "evil.example"}, 303),
    ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "10.1.2.3"}, 303),
    ("127.0.0.1", {"host": "localhost", "forwarded": "for=10.1.2.3"}, 303),
    ("somewhere", {"host": "localhost"}, 303),
)


def test_only_this_very_machine_may_look_without_a_token(
    app: Litestar, seen_from: Callable[[str, Litestar], Any]
) -> None:
    for host, headers, status in VISITORS:
        with TestClient(seen_from(host, app)) as somebody:
            answer = somebody.get("/", headers=headers, follow_redirects=False)
        assert answer.status_code == status, (host, headers)


def test_looking_without_a_token_never_means_acting(client: TestClient) -> None:
    answer = client.post("/incidents/3/acknowledge", headers=HERE)
    assert answer.status_code == 403
    assert "needs the role responder" in answer.text


def test_a_responder_acknowledges_and_the_incident_says_who(
    signed_in: Callable[[Role], TestClient[Any]], engine: Engine
) -> None:
    responder = signed_in(Role.RESPONDER)
    answer = responder.post("/incidents/3/acknowledge", headers=HERE, follow_redirects=False)
    assert answer.status_code == 303
    with read(engine) as session:
        incident = Incidents(session).get(3)
    assert incident is not None
    assert incident.standing.acked_by == "responder"
    assert "by responder" in responder.get("/incidents/3").text


def test_what_cannot_be_done_now_is_said_kindly(
    signed_in: Callable[[Role], TestClient[Any]],
) -> None:
    answer = signed_in(Role.RESPONDER).post("/incidents/1/acknowledge", headers=HERE)
    assert answer.status_code == 409
    assert "cannot be done now" in answer.text


def test_an_operator_goes_back_to_an_earlier_version(
    signed_in: Callable[[Role], TestClient[Any]], engine: Engine
) -> None:
    answer = signed_in(Role.OPERATOR).post(
        "/models/flights/rollback", data={"version": 1}, headers=HERE, follow_redirects=False
    )
    assert answer.headers["location"] == "/models/flights#versions"
    with read(engine) as session:
        current = Deployments(session).current("flights")
    assert current is not None
    assert (current.version, current.decided_by) == (1, "operator")


FOREIGN: tuple[dict[str, str], ...] = (
    {},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1.evil.example"},
    {"sec-fetch-site": "cross-site"},
    {"origin": "null", "sec-fetch-site": "same-site"},
)


def test_a_form_that_another_site_sends_does_nothing(
    signed_in: Callable[[Role], TestClient[Any]], engine: Engine
) -> None:
    admin = signed_in(Role.ADMIN)
    for headers in FOREIGN:
        answer = admin.post("/models/flights/rollback", data={"version": 1}, headers=headers)
        assert answer.status_code == 403, headers
    with read(engine) as session:
        current = Deployments(session).current("flights")
    assert current is not None
    assert current.version == 2


def test_a_program_with_a_bearer_token_needs_no_origin(
    guarded: Litestar, tokens: dict[Role, str]
) -> None:
    bearer = {"authorization": f"Bearer {tokens[Role.ADMIN]}"}
    with TestClient(guarded, base_url="http://127.0.0.1") as program:
        answer = program.post(
            "/models/flights/rollback", data={"version": 1}, headers=bearer, follow_redirects=False
        )
    assert answer.status_code == 303


def test_a_cookie_that_is_no_token_lets_nobody_in(guarded: Litestar) -> None:
    with TestClient(guarded, base_url="http://127.0.0.1") as stranger:
        stranger.cookies.set(COOKIE, "x" * 5000)
        assert stranger.get("/", follow_redirects=False).status_code == 303
