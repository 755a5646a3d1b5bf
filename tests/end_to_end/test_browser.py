"""The pages in a real browser: no error, no other host, keyboard, phone, live refresh."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright
from sqlalchemy import Engine

import web_history as story
from service.server import Server
from service.web.tokens import Role, Tokens
from watchkeeper.database import write

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
PAGES = ("/", "/models/flights", "/incidents?state=all", "/incidents/1", "/runs", "/runs/1")
_BROKEN = "<main id=main>broken</main>"
PHONE = {"width": 360, "height": 740}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def url(sqlite_engine: Engine, tmp_path: Path) -> Iterator[str]:
    story.put_in_place(sqlite_engine, tmp_path)
    server = Server(story.make_app(sqlite_engine, refresh=1), host="127.0.0.1", port=0)
    server.start()
    yield server.url
    server.stop()


class Visit:
    """One browser window that notes everything it should not see."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.url = url
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    def to(self, path: str) -> Page:
        self.page.goto(self.url + path)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def _hear(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    context = browser.new_context()
    yield Visit(context, url)
    context.close()


@pytest.fixture
def phone(browser: Browser, url: str) -> Iterator[Visit]:
    context = browser.new_context(viewport=PHONE, has_touch=True)  # type: ignore[arg-type]
    yield Visit(context, url)
    context.close()


def test_every_page_loads_without_a_complaint_and_without_another_host(visit: Visit) -> None:
    for path in PAGES:
        page = visit.to(path)
        assert page.locator("h1").count() == 1
        assert page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
    assert visit.complaints == []
    assert visit.hosts == {visit.url.removeprefix("http://")}


def test_no_page_scrolls_sideways_on_a_phone(phone: Visit) -> None:
    for path in PAGES:
        page = phone.to(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    assert phone.complaints == []


def test_a_name_that_is_markup_is_shown_as_text(visit: Visit) -> None:
    page = visit.to("/models/flights")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    assert page.locator(".card h3", has_text="<script>").inner_text() == story.HOSTILE


def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    page = visit.to("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == "/models/flights":
            break
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/flights")
    assert page.locator("h1").inner_text() == "flights"


def test_a_search_narrows_the_list_while_it_is_typed(visit: Visit) -> None:
    page = visit.to("/models/flights")
    box = page.get_by_label("Find a feature")
    box.press_sequentially("gust")
    expect(page.locator(".card")).to_have_count(1)
    assert page.evaluate("document.activeElement.id") == "feature"
    assert box.input_value() == "gust"
    assert "feature=gust" in page.url
    assert visit.complaints == []


def test_a_refresh_brings_news_and_keeps_place_focus_and_open_parts(
    visit: Visit, sqlite_engine: Engine
) -> None:
    page = visit.to("/models/flights")
    page.get_by_text("Label maturity").click()
    page.locator("#windows").scroll_into_view_if_needed()
    page.locator("#windows a").first.focus()
    before = page.evaluate("[scrollY, document.activeElement.textContent]")
    story.deploy(sqlite_engine, version=1, reason="Rolled back for the test.")
    page.get_by_text("Rolled back for the test.").wait_for(timeout=10_000)
    assert page.evaluate("[scrollY, document.activeElement.textContent]") == before
    assert page.locator("details[open]").count() == 1
    assert page.locator("#live").inner_text() == "live"
    assert visit.complaints == []


def test_a_failed_refresh_keeps_the_page_and_says_so_until_it_works_again(visit: Visit) -> None:
    page = visit.to("/models/flights")
    live = page.locator("#live")
    failures: tuple[tuple[Callable[[Route], None], str], ...] = (
        (lambda route: route.fulfill(status=503, body=_BROKEN), "not refreshed"),
        (lambda route: route.fulfill(status=401, body=_BROKEN), "signed out"),
        (lambda route: route.abort(), "no connection"),
    )
    for fail, said in failures:
        page.route("**/models/flights", fail)
        expect(live).to_have_text(said)
        assert page.locator("h1").inner_text() == "flights"
        page.unroute_all()
        expect(live).to_have_text("live")


def test_every_page_can_be_read_without_scripts(browser: Browser, url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Find a model, owner or team").fill("flights")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="flights", exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == "flights"
    assert page.get_by_role("img", name="ROC AUC per window").first.is_visible()
    context.close()


def test_dark_and_light_are_both_legible(browser: Browser, url: str) -> None:
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"{url}/models/flights")
        assert page.evaluate(_CONTRAST) == [], scheme
        context.close()


def test_signing_in_on_the_page_lets_one_act(visit: Visit, sqlite_engine: Engine) -> None:
    with write(sqlite_engine) as session:
        token = Tokens(session).issue("ana", Role.OPERATOR)
    page = visit.to("/login?next=/incidents/3")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/incidents/3")
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("by ana").first.wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").wait_for()
    assert visit.complaints == []


# WCAG 2.2, 1.4.3: the contrast ratio of text with what lies behind it is at least 4.5.
_CONTRAST = """() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(srgb") ? found.slice(0, 4).map((v, i) => i < 3 ? v * 255 : v)
                                         : found;
  };
  const light = ([r, g, b]) => {
    const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 23, 28] : [255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *:not(svg *)")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.nodeValue.trim());
    if (!own || !element.checkVisibility()) continue;
    const front = light(parse(getComputedStyle(element).color));
    const back = light(behind(element));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < 4.5) bad.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(bad)];
}"""
