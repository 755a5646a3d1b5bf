from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from reports import pages
from reports.model import (
    FeaturesView,
    IncidentsView,
    IncidentView,
    ModelsView,
    ModelView,
    Paging,
    RunsView,
    RunView,
    WindowsView,
)
from reports.pages import Here

HERE = Here(path="/", refresh=10, user="ana", signed_in=True, may_acknowledge=True)
NOTHING = Paging(number=1, size=50, total=0)


class Outline(HTMLParser):
    """What assistive technology would find: headings, landmarks, ids, images."""

    void = frozenset({"meta", "link", "input", "br", "img", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.crossed: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            self.crossed.append(tag)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == name]


@pytest.fixture
def every_page(  # noqa: PLR0917
    models_view: ModelsView,
    model_view: ModelView,
    incidents_view: IncidentsView,
    incident_view: IncidentView,
    runs_view: RunsView,
    run_view: RunView,
) -> dict[str, str]:
    return {
        "models": pages.models(models_view, HERE),
        "model": pages.model(model_view, HERE),
        "incidents": pages.incidents(incidents_view, HERE),
        "incident": pages.incident(incident_view, HERE),
        "runs": pages.runs(runs_view, HERE),
        "run": pages.run(run_view, HERE),
        "login": pages.login(HERE, follow="/"),
        "error": pages.error(HERE, status=404, title="Nothing is here", detail="No page."),
    }


def test_every_page_has_one_heading_landmarks_and_a_way_to_skip_to_the_content(
    every_page: dict[str, str],
) -> None:
    for name, html in every_page.items():
        outline = Outline(html)
        assert outline.crossed == [], name
        assert outline.stack == [], name
        assert len(outline.all("h1")) == 1, name
        assert len(outline.all("main")) == 1, name
        assert outline.all("header"), name
        assert 'href="#main"' in html, name
        assert outline.all("html")[0]["lang"] == "en"


def test_no_identifier_is_used_twice(every_page: dict[str, str]) -> None:
    for name, html in every_page.items():
        ids = [attrs["id"] for _, attrs in Outline(html).tags if "id" in attrs]
        assert len(ids) == len(set(ids)), name


def test_every_drawing_says_what_it_shows(every_page: dict[str, str]) -> None:
    for html in every_page.values():
        for svg in Outline(html).all("svg"):
            assert svg.get("aria-hidden") == "true" or (
                svg.get("role") == "img" and len(svg.get("aria-label") or "") > 20
            )


def test_every_table_names_its_columns(every_page: dict[str, str]) -> None:
    for html in every_page.values():
        for header in Outline(html).all("th"):
            assert header.get("scope") in {"col", "row"}


def test_every_input_has_a_label(every_page: dict[str, str]) -> None:
    for name, html in every_page.items():
        outline = Outline(html)
        labelled = {label.get("for") for label in outline.all("label")}
        for field in outline.all("input"):
            if field.get("type") != "hidden" and "id" in field:
                assert field["id"] in labelled, name


def test_names_from_outside_never_become_markup(every_page: dict[str, str]) -> None:
    for html in every_page.values():
        assert "<script>alert" not in html
    assert "&lt;script&gt;alert(" in every_page["model"]


def test_no_page_holds_a_script_a_style_or_an_address_of_another_host(
    every_page: dict[str, str],
) -> None:
    for name, html in every_page.items():
        outline = Outline(html)
        assert outline.all("style") == [], name
        for tag, attrs in outline.tags:
            assert "style" not in attrs, (name, tag)
            assert not any(key.startswith("on") for key in attrs), (name, tag)
        for script in outline.all("script"):
            assert (script.get("src") or "").startswith("/assets/")
        assert "//" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", html.replace("://x", "")), name


def test_an_empty_house_says_the_first_step(models_view: ModelsView) -> None:
    html = pages.models(replace(models_view, rows=(), paging=NOTHING), HERE)
    assert "watchkeeper init" in html
    assert 'type="search"' not in html


def test_a_search_without_a_hit_says_what_was_searched_for(models_view: ModelsView) -> None:
    html = pages.models(replace(models_view, rows=(), paging=NOTHING, search="<b>"), HERE)
    assert "No model is called “&lt;b&gt;”." in html


def test_a_model_without_a_single_row_still_has_a_page(model_view: ModelView) -> None:
    bare = replace(
        model_view,
        row=replace(model_view.row, champion=None, last=None, value=None, trend=(), metric=None),
        timeline=None,
        strip=None,
        features=FeaturesView(window=None, version=None, cards=(), paging=NOTHING),
        windows=WindowsView(metric=None, rows=(), paging=NOTHING),
        findings=(),
        versions=(),
        deployments=(),
        incidents=(),
        runs=(),
        channel=None,
        label_delay=None,
        tolerance=None,
    )
    html = pages.model(bare, HERE)
    assert "Its performance has not been measured yet." in html
    assert "No window has been judged yet." in html


def test_a_thousand_features_are_shown_a_page_at_a_time(model_view: ModelView) -> None:
    features = replace(model_view.features, paging=Paging(number=2, size=9, total=1000))
    here = Here(path="/models/flights", params={"page": "2"})
    html = pages.model(replace(model_view, features=features), here)
    assert "10 – 18 of 1,000 features" in html
    assert 'href="/models/flights?page=3#features"' in html


def test_actions_are_offered_only_to_those_who_may(
    incident_view: IncidentView, model_view: ModelView
) -> None:
    viewer, operator = Here(path="/"), Here(path="/", may_acknowledge=True, may_roll_back=True)
    assert "/acknowledge" not in pages.incident(incident_view, viewer)
    assert "/acknowledge" in pages.incident(incident_view, operator)
    assert "/rollback" not in pages.model(model_view, viewer)
    assert "Go back to version 1" in pages.model(model_view, operator)


def test_a_resolved_incident_is_not_acknowledged_any_more(incident_view: IncidentView) -> None:
    over = replace(incident_view, row=replace(incident_view.row, open=False, state="resolved"))
    assert "/acknowledge" not in pages.incident(over, HERE)


def test_times_are_the_models_own_with_utc_on_hover(incident_view: IncidentView) -> None:
    html = pages.incident(incident_view, HERE)
    assert 'title="3 Sep 2013 04:00 UTC">3 Sep 2013 00:00</time>' in html


@pytest.mark.parametrize(
    ("params", "changes", "expected"),
    [
        ({}, {"page": 2}, "/models/a%20b?page=2"),
        ({"page": "2", "q": "é"}, {"page": None}, "/models/a%20b?q=%C3%A9"),
        ({"q": "x"}, {}, "/models/a%20b?q=x"),
    ],
)
def test_links_keep_what_they_do_not_change(
    params: dict[str, str], changes: dict[str, Any], expected: str
) -> None:
    assert Here(path="/models/a b", params=params).link(changes) == expected


def test_an_asset_is_addressed_by_its_content() -> None:
    assert re.fullmatch(r"/assets/watchkeeper\.css\?[0-9a-f]{10}", HERE.asset("watchkeeper.css"))
