from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from litestar.testing import TestClient

from service.web.tokens import Role

PAGES = ("/", "/models/flights", "/incidents", "/incidents?state=all", "/incidents/1", "/runs")


def test_every_page_is_served_with_its_safety_headers(client: TestClient[Any]) -> None:
    for path in PAGES:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, no-cache"


def test_the_overview_tells_how_each_model_does(client: TestClient[Any]) -> None:
    html = client.get("/").text
    assert 'href="/models/flights"' in html
    assert "Flight models on call" in html
    assert "version 2" in html
    assert "ROC AUC" in html
    assert 'class="spark"' in html


def test_the_overview_is_searched_by_name_owner_and_team(client: TestClient[Any]) -> None:
    assert 'href="/models/flights"' in client.get("/?q=flight models").text
    assert "No model is called “churn”." in client.get("/?q=churn").text


def test_a_models_page_shows_its_decay_its_broken_feed_and_its_versions(
    client: TestClient[Any],
) -> None:
    html = client.get("/models/flights").text
    assert "Beyond the limit in 5 of 20 windows, first 13 Jun 2013." in html
    assert "Version 2 took over on 18 Jun 2013." in html
    assert "wind_gust: beyond its limit in 3 of 20 windows, first 7 Jun 2013, last 9 Jun" in html
    assert html.index("visib: beyond its limit in 5") < html.index("wind_gust: beyond its limit")
    assert html.index("wind_gust: beyond its limit") < html.index("carrier: within its limit")
    assert "quarantined" in html
    assert "labels still coming in" in html


def test_the_features_of_any_window_can_be_seen(client: TestClient[Any]) -> None:
    html = client.get("/models/flights?window=2013-06-08T04:00:00%2B00:00").text
    assert "Window of 8 Jun 2013" in html
    assert "0 % → 100 %" in html
    assert "Show the newest window" in html


def test_features_are_found_by_any_part_of_their_name(client: TestClient[Any]) -> None:
    html = client.get("/models/flights?feature=GUST").text
    assert re.findall(r"<h3[^>]*>([^<]*)</h3>", html) == ["wind_gust"]
    assert "No feature is called “nothing”." in client.get("/models/flights?feature=nothing").text


def test_a_name_that_is_markup_stays_text(client: TestClient[Any]) -> None:
    html = client.get("/models/flights").text
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(" in html


def test_an_incident_shows_its_evidence_its_history_and_its_messages(
    client: TestClient[Any],
) -> None:
    html = client.get("/incidents/1").text
    assert "INC-0001" in html
    assert "data contract" in html
    assert "usually at most 0.0%" in html
    assert "Opened" in html
    assert "C0FLIGHTS" in html


def test_incidents_are_filtered_by_state_family_and_model(client: TestClient[Any]) -> None:
    every = client.get("/incidents?state=all").text
    assert every.count("INC-") >= 2
    only = client.get("/incidents?state=all&family=performance").text
    assert "data contract ·" not in only
    assert "No incident matches" in client.get("/incidents?state=all&model=churn").text


def test_runs_and_refusals_stand_in_one_list_with_their_reasons(client: TestClient[Any]) -> None:
    html = client.get("/runs").text
    assert "Held" in html
    assert "/runs/held-" in html
    run = re.search(r'href="(/runs/\d+)"', html)
    assert run is not None
    page = client.get(run[1]).text
    assert "log loss is lower by 0.020" in page
    assert "fit 4 columns" in page
    held = re.search(r'href="(/runs/held-\d+)"', html)
    assert held is not None
    assert client.get(held[1]).status_code == 200


MISSING = (
    "/nothing",
    "/models/nothing",
    "/incidents/99",
    "/incidents/99999999999999999999",
    "/incidents/x",
    "/runs/99",
    "/runs/held-99",
    "/runs/held-x",
    "/assets/nothing.css",
    "/assets/..%2fmodel%2f__init__.py",
)


def test_what_is_not_there_is_said_kindly(client: TestClient[Any]) -> None:
    for path in MISSING:
        answer = client.get(path, headers={"accept": "text/html"})
        assert answer.status_code == 404, path
        assert "Go to the models" in answer.text
        assert "Traceback" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_wrong_parameter_is_named(client: TestClient[Any]) -> None:
    for path, name in (
        ("/?page=0", "page"),
        ("/?page=x", "page"),
        ("/models/flights?window=yesterday", "window"),
        ("/incidents?state=odd", "state"),
    ):
        answer = client.get(path)
        assert answer.status_code == 400, path
        assert f"{name}:" in answer.text


def test_a_page_beyond_the_last_is_empty_but_whole(client: TestClient[Any]) -> None:
    for path in ("/?page=99", "/runs?page=99", "/incidents?page=99", "/models/flights?page=99"):
        assert client.get(path).status_code == 200


def test_styles_and_scripts_are_kept_by_the_browser_for_ever(client: TestClient[Any]) -> None:
    html = client.get("/").text
    for address in re.findall(r'(?:href|src)="(/assets/[^"]+)"', html):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def test_buttons_are_shown_to_those_who_may_press_them(
    client: TestClient[Any], signed_in: Callable[[Role], TestClient[Any]]
) -> None:
    open_incident = "/incidents/3"
    assert "/acknowledge" not in client.get(open_incident).text
    assert "/acknowledge" in signed_in(Role.RESPONDER).get(open_incident).text
    assert "/rollback" not in signed_in(Role.RESPONDER).get("/models/flights").text
    assert "/rollback" in signed_in(Role.OPERATOR).get("/models/flights").text
