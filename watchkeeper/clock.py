"""Event time: the one clock that windows, maturity, cooldowns and snoozes are read from."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time in UTC.

    Leases, heartbeats and back-off never use it: they run on the database's own wall clock.
    """

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    """The clock of the machine.

    Examples
    --------
    >>> SystemClock().now().tzinfo
    datetime.timezone.utc
    """

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


class SteppedClock:
    """A clock that stands still until it is moved; for demo, back-test, replay and tests.

    It is safe to share between threads and never goes back.

    Examples
    --------
    >>> clock = SteppedClock(datetime(2013, 6, 1, tzinfo=UTC))
    >>> clock.advance_to(datetime(2013, 6, 2, tzinfo=UTC))
    >>> clock.now().day
    2
    """

    def __init__(self, start: datetime) -> None:
        self._now = aware(start)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the instant that the clock was last moved to."""
        with self._lock:
            return self._now

    def advance_to(self, instant: datetime) -> None:
        """Move forward to ``instant``; an earlier instant leaves the clock where it is."""
        with self._lock:
            self._now = max(self._now, aware(instant))


def aware(instant: datetime) -> datetime:
    """Return ``instant`` in UTC.

    Raises
    ------
    ValueError
        The datetime is naive: which instant it means would be a guess.
    """
    if instant.tzinfo is None:
        raise ValueError(f"expected a datetime with a time zone, got {instant.isoformat()}")
    return instant.astimezone(UTC)
