"""What a check of a project says of its duties: when nobody is on call in the next two weeks."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from datetime import UTC, datetime

from alerts.calendars import fetch, parse, require_calendars
from alerts.on_call import AHEAD, Entry, gaps, unknown_people
from watchkeeper.document import Document
from watchkeeper.errors import ConfigurationError
from watchkeeper.settings import Settings
from watchkeeper.team_settings import OnCall


def duty_notes(
    settings: Settings, document: Document, *, now: datetime | None = None
) -> Iterator[ConfigurationError]:
    """Yield the gaps of each team's duties, and calendars that cannot be read.

    Parameters
    ----------
    now
        By default the machine's time.
    """
    start = now or datetime.now(UTC)
    for name, team in settings.teams.items():
        if team.on_call is None:
            continue
        for said in _notes(settings, team.on_call, start):
            yield document.error(said, ("teams", name, "on_call"))


def _notes(settings: Settings, duties: OnCall, start: datetime) -> Iterator[str]:
    entries: tuple[Entry, ...] = ()
    if duties.ical is not None:
        try:
            require_calendars(settings.teams)
            entries = parse(fetch(duties.ical.get_secret_value()), start, start + AHEAD)
        except ConfigurationError as exc:
            yield exc.problem
            return
        except (OSError, ValueError, http.client.HTTPException) as exc:
            yield f"the calendar cannot be read: {type(exc).__name__}"
            return
    for gap in gaps(duties, start, start + AHEAD, entries):
        begins, ends = (at.astimezone(duties.timezone) for at in (gap.start, gap.end))
        yield f"nobody is on call from {begins:%a %d %b %H:%M} to {ends:%a %d %b %H:%M}"
    for unknown in unknown_people(duties, entries):
        yield f"the calendar names {unknown!r}, who is not one of `people`"
