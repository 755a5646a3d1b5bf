"""Who is on call at an instant, and when nobody is; pure, and right when clocks are changed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.plan import Duty
from watchkeeper.team_settings import OnCall, Person

#: How far ahead gaps are looked for.
AHEAD = timedelta(days=14)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Somebody's duty in ``[start, end)``, UTC."""

    start: datetime
    end: datetime
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A stretch ``[start, end)`` in which nobody is on call, UTC."""

    start: datetime
    end: datetime


def on_duty(duties: OnCall, at: datetime, calendar: Sequence[Entry] = ()) -> Duty | None:
    """Return who is on call: by the shifts, else by the calendar, else by the rotation.

    Parameters
    ----------
    calendar
        Entries around ``at``, named after people.

    Examples
    --------
    >>> duties = OnCall.model_validate({
    ...     "timezone": "Europe/Berlin", "rotation": ["ada", "bob"], "start": "2026-03-23T09:00",
    ...     "people": {"ada": {"name": "Ada", "slack": "U0ADA"}, "bob": {"name": "Bob"}}})
    >>> on_duty(duties, datetime(2026, 3, 30, 6, 59, tzinfo=UTC)).name
    'Ada'
    >>> on_duty(duties, datetime(2026, 3, 30, 7, 0, tzinfo=UTC)).name
    'Bob'
    """
    for entries in (_shifts(duties), calendar, _turns(duties, at, at + timedelta(seconds=1))):
        for entry in entries:
            if entry.start <= at < entry.end:
                return _duty(duties, entry)
    return None


def gaps(
    duties: OnCall, start: datetime, end: datetime, calendar: Sequence[Entry] = ()
) -> list[Gap]:
    """Return when nobody is on call in ``[start, end)``, in order."""
    covered = start
    found = []
    entries = [*_shifts(duties), *calendar, *_turns(duties, start, end)]
    for entry in sorted(entries, key=lambda entry: entry.start):
        if entry.start >= end:
            break
        if entry.start > covered:
            found.append(Gap(start=covered, end=entry.start))
        covered = max(covered, entry.end)
    if covered < end:
        found.append(Gap(start=covered, end=end))
    return found


def unknown_people(duties: OnCall, calendar: Sequence[Entry]) -> list[str]:
    """Return the names of a calendar that are nobody's, so that nobody can be mentioned."""
    names = dict.fromkeys(entry.name for entry in calendar)
    return [name for name in names if _person(duties, name) is None]


def _shifts(duties: OnCall) -> Iterator[Entry]:
    for shift in duties.shifts:
        start, end = (_instant(duties, at) for at in (shift.start, shift.end))
        yield Entry(start=start, end=end, name=shift.person)


def _turns(duties: OnCall, start: datetime, end: datetime) -> Iterator[Entry]:
    """Yield the turns of the rotation that touch ``[start, end)``.

    A turn begins at the same time on the wall, whatever the clocks did since the one before.
    """
    if not duties.rotation or duties.start is None:
        return
    local = start.astimezone(duties.timezone).replace(tzinfo=None)
    # A day earlier than the wall says: where the clocks were changed, it may be the turn before.
    first = max((local - duties.start - timedelta(days=1)) // duties.every, 0)
    for number in itertools.count(first):
        begins = _instant(duties, duties.start + number * duties.every)
        if begins >= end:
            return
        ends = _instant(duties, duties.start + (number + 1) * duties.every)
        if ends > start:
            yield Entry(start=begins, end=ends, name=duties.rotation[number % len(duties.rotation)])


def _instant(duties: OnCall, local: datetime) -> datetime:
    """Return the instant of a local time; one that the clocks skip is as late as they jump."""
    return local.replace(tzinfo=duties.timezone).astimezone(UTC)


def _duty(duties: OnCall, entry: Entry) -> Duty:
    person = _person(duties, entry.name)
    name = entry.name if person is None else person.name
    return Duty(name=name, slack=None if person is None else person.slack, until=entry.end)


def _person(duties: OnCall, name: str) -> Person | None:
    wanted = name.strip().casefold()
    for key, person in duties.people.items():
        if wanted in (key.casefold(), person.name.casefold()):
            return person
    return None
