from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import Engine

from alerts.calendars import calendar_of, duty_of, fetch, parse, refresh
from watchkeeper.database import read
from watchkeeper.team_settings import Team

NOW = datetime(2026, 3, 27, 12, tzinfo=UTC)
#: Ada from Monday 9:00 to Monday 9:00 in Berlin, every second week; Bob in between, once.
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1
SUMMARY:Ada Byron
DTSTART;TZID=Europe/Berlin:20260316T090000
DTEND;TZID=Europe/Berlin:20260323T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
END:VEVENT
BEGIN:VEVENT
UID:2
SUMMARY:Bob
DTSTART;TZID=Europe/Berlin:20260323T090000
DTEND;TZID=Europe/Berlin:20260330T090000
END:VEVENT
BEGIN:VEVENT
UID:3
SUMMARY:Eve
STATUS:CANCELLED
DTSTART;VALUE=DATE:20260327
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


class Shelf(HTTPServer):
    """Gives a calendar away, or whatever it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body, self.status, self.calls = CALENDAR, 200, 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/the-secret-address"


class _Handler(BaseHTTPRequestHandler):
    server: Shelf

    def do_GET(self) -> None:
        self.server.calls += 1
        body = self.server.body.encode()
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Shelf() as shelf:
        threading.Thread(target=shelf.serve_forever, daemon=True).start()
        yield shelf
        shelf.shutdown()


@pytest.fixture
def teams(shelf: Shelf) -> dict[str, Team]:
    people = {"ada": {"name": "Ada Byron", "slack": "U0ADA"}, "bob": {"name": "Bob"}}
    duties = {"people": people, "ical": shelf.url}
    return {"flights": Team.model_validate({"on_call": duties})}


def who(engine: Engine, teams: dict[str, Team], at: datetime) -> str | None:
    with read(engine) as session:
        found = duty_of(session, teams, "flights", at)
    return None if found is None else found.name


def test_a_calendar_says_who_is_on_call_across_the_change_of_clocks(
    engine: Engine, teams: dict[str, Team]
) -> None:
    refresh(engine, teams, NOW)

    assert who(engine, teams, NOW) == "Bob"
    # In Berlin it is 9:00 then: an hour earlier by UTC than the week before.
    handover = datetime(2026, 3, 30, 7, tzinfo=UTC)
    assert who(engine, teams, handover - timedelta(minutes=1)) == "Bob"
    assert who(engine, teams, handover) == "Ada Byron"


def test_it_is_not_asked_more_often_than_it_has_to(
    engine: Engine, teams: dict[str, Team], shelf: Shelf
) -> None:
    assert [refresh(engine, teams, NOW + timedelta(minutes=m)) for m in (0, 1, 14, 15)] == [
        1, 0, 0, 1,
    ]  # fmt: skip
    assert shelf.calls == 2


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [(503, "", "http_503"), (302, "", "http_302"), (200, "<html>sign in</html>", "ValueError")],
)
def test_what_cannot_be_fetched_leaves_the_copy_and_says_so(  # noqa: PLR0917  its cases
    engine: Engine, teams: dict[str, Team], shelf: Shelf, status: int, body: str, trouble: str
) -> None:
    refresh(engine, teams, NOW)
    shelf.status, shelf.body = status, body
    later = NOW + timedelta(hours=1)
    refresh(engine, teams, later)

    assert who(engine, teams, later) == "Bob"
    with read(engine) as session:
        copy = calendar_of(session, "flights", teams["flights"], later)
    assert (copy.fetched_at, copy.trouble) == (NOW, trouble)
    assert "secret" not in str(copy)


def test_without_a_copy_nobody_is_known(
    engine: Engine, teams: dict[str, Team], shelf: Shelf
) -> None:
    shelf.status = 500
    refresh(engine, teams, NOW)

    assert who(engine, teams, NOW) is None


def test_an_address_of_another_kind_is_not_read() -> None:
    with pytest.raises(ValueError, match="https"):
        fetch("file:///etc/passwd")


@pytest.mark.parametrize("text", ["", "BEGIN:VCALENDAR", "x"])
def test_what_is_no_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse(text, NOW, NOW + timedelta(days=1))
