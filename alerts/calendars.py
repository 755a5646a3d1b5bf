"""Calendars of duties: fetched now and then, and kept for when they cannot be."""

from __future__ import annotations

import functools
import http.client
import importlib.util
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from alerts.block_kit import clean
from alerts.channels.slack import is_loopback
from alerts.on_call import AHEAD, Entry, on_duty
from alerts.plan import Duty
from alerts.rows import CalendarRow
from monitor.upsert import upsert
from watchkeeper.database import read, write
from watchkeeper.errors import ConfigurationError
from watchkeeper.team_settings import Team

log = structlog.get_logger(__name__)

#: A calendar is fetched again after this time.
FRESH = timedelta(minutes=15)

_TIMEOUT = 10.0
_LARGEST = 5 * 1024**2

Fetch = Callable[[str], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """The newest copy of a calendar.

    Parameters
    ----------
    trouble
        Why the last attempt to fetch it failed; None when it did not.
    """

    entries: tuple[Entry, ...] = ()
    fetched_at: datetime | None = None
    trouble: str | None = None


def fetch(url: str) -> str:
    """Return a calendar's text; redirects are not followed.

    Raises
    ------
    OSError, ValueError, http.client.HTTPException
        It cannot be read.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError("expected an address that begins with https://")
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if is_loopback(url):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    with opener.open(url, timeout=_TIMEOUT) as response:
        body: bytes = response.read(_LARGEST + 1)
    if len(body) > _LARGEST:
        raise ValueError("larger than 5 MiB")
    text = body.decode()
    if "BEGIN:VCALENDAR" not in text:
        raise ValueError("not a calendar")
    return text


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_more: object) -> None:
        return None


def require_calendars(teams: Mapping[str, Team]) -> None:
    """Refuse calendars that nobody could read.

    Raises
    ------
    ConfigurationError
        A team names one, and what reads it is not installed.
    """
    named = [name for name, team in teams.items() if _url(team) is not None]
    if named and importlib.util.find_spec("recurring_ical_events") is None:
        raise ConfigurationError(
            "needs more to be read: install watchkeeper[calendar]",
            field=f"teams.{named[0]}.on_call.ical",
        )


def refresh(
    engine: Engine, teams: Mapping[str, Team], now: datetime, *, fetch: Fetch = fetch
) -> int:
    """Fetch the calendars whose copies are old; return how many attempts were made.

    A calendar that cannot be fetched leaves its copy as it is.
    """
    tried = 0
    for name, team in teams.items():
        url = _url(team)
        if url is None or not _is_due(engine, name, now):
            continue
        tried += 1
        values: dict[str, object] = {"team": name, "tried_at": now, "trouble": None}
        try:
            body = fetch(url)
            parse(body, now, now + AHEAD)
            values |= {"body": body, "fetched_at": now}
        except (OSError, ValueError, http.client.HTTPException) as exc:
            # Only its kind: the text of the error may hold the address, which is a secret.
            values["trouble"] = _kind(exc)
            log.warning("calendar_not_fetched", team=name, error=values["trouble"])
        with write(engine) as session:
            known = session.get(CalendarRow, name)
            kept = {} if known is None else {"body": known.body, "fetched_at": known.fetched_at}
            upsert(session, CalendarRow, [{"body": None, "fetched_at": None} | kept | values])
    return tried


def calendar_of(session: Session, name: str, team: Team, start: datetime) -> Calendar:
    """Return the copy of a team's calendar: its entries around ``start`` and two weeks ahead."""
    if _url(team) is None:
        return Calendar()
    row = session.get(CalendarRow, name, populate_existing=True)
    if row is None or row.body is None:
        trouble = "it has not been fetched yet" if row is None else row.trouble
        return Calendar(trouble=trouble)
    # Whole days, so that the reading of one copy is remembered.
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    entries = parse(row.body, day, day + AHEAD + timedelta(days=1))
    return Calendar(entries=entries, fetched_at=row.fetched_at, trouble=row.trouble)


def duty_of(session: Session, teams: Mapping[str, Team], name: str, now: datetime) -> Duty | None:
    """Return who of a team is on call now; None where nobody is, or nobody knows."""
    team = teams.get(name)
    if team is None or team.on_call is None:
        return None
    return on_duty(team.on_call, now, calendar_of(session, name, team, now).entries)


@functools.lru_cache(maxsize=64)
def parse(body: str, start: datetime, end: datetime) -> tuple[Entry, ...]:
    """Return the events of a calendar that touch ``[start, end)``, repeated ones unrolled.

    Whole days are days of UTC. Cancelled events are left out.

    Raises
    ------
    ValueError
        The text is not a calendar.
    """
    import icalendar  # noqa: PLC0415  an extra
    import recurring_ical_events  # noqa: PLC0415  an extra

    try:
        events = recurring_ical_events.of(icalendar.Calendar.from_ical(body)).between(start, end)
    except (KeyError, TypeError, AttributeError, IndexError) as exc:
        raise ValueError("not a calendar") from exc
    found = []
    for event in events:
        begins, ends = event.get("DTSTART"), event.get("DTEND")
        name = clean(str(event.get("SUMMARY", "")), 80)
        if begins is None or str(event.get("STATUS", "")).upper() == "CANCELLED" or not name:
            continue
        first = _aware(begins.dt)
        last = first + timedelta(days=1) if ends is None else _aware(ends.dt)
        found.append(Entry(start=first, end=last, name=name))
    return tuple(sorted(found, key=lambda entry: entry.start))


def _aware(value: date | datetime) -> datetime:
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _is_due(engine: Engine, name: str, now: datetime) -> bool:
    with read(engine) as session:
        row = session.get(CalendarRow, name)
        return row is None or not now - FRESH < row.tried_at <= now


def _url(team: Team) -> str | None:
    secret = None if team.on_call is None else team.on_call.ical
    return None if secret is None else secret.get_secret_value()


def _kind(exc: Exception) -> str:
    if isinstance(exc, urllib.error.HTTPError):
        return f"http_{exc.code}"
    cause = exc.reason if isinstance(exc, urllib.error.URLError) else exc
    return type(cause).__name__ if isinstance(cause, Exception) else type(exc).__name__
