"""Replay the live flights through the real server, and let the service keep up with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from service.demo.flights import BROKEN_FROM, BROKEN_UNTIL, ZONE, Hour
from service.demo.screen import Screen
from watchkeeper.clock import SteppedClock
from watchkeeper.errors import WatchkeeperError

MODEL = "flights"
#: Seconds between repeated requests while a model is trained; it needs the processor too.
PAUSE = 0.2


class Asks(Protocol):
    """The part of the client that the replay needs."""

    def predict(self, model: str, records: Sequence[dict[str, Any]]) -> Any:
        """Ask for predictions."""
        ...

    def log_labels(self, model: str, labels: Sequence[dict[str, Any]]) -> Any:
        """Hand labels over."""
        ...


@dataclass(kw_only=True)
class Driver:
    """Plays the world outside: flights are scheduled, land, and time goes by.

    Parameters
    ----------
    catch_up
        Ships, evaluates and decides everything that is due at the clock's time.
    retrain
        Carries one waiting run through, if there is one; it takes its time.
    tell
        Shows what has happened since it was last called.
    """

    client: Asks
    clock: SteppedClock
    screen: Screen
    catch_up: Callable[[], None]
    retrain: Callable[[], bool]
    tell: Callable[[], str]
    rows: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)
    _announced: set[str] = field(default_factory=set)

    def run(self, hours: Sequence[Hour]) -> None:
        """Replay all hours in order; the service catches up at the end of each local day."""
        facts = ""
        last: Hour | None = None
        for number, hour in enumerate(hours):
            self._announce(hour)
            self._predict(hour.records)
            last = hour if hour.records else last
            self.clock.advance_to(hour.end)
            self._label(hour.labels)
            if _ends_a_day(hour.end) or number == len(hours) - 1:
                self.catch_up()
                facts = self.tell()
                self._retrain_under_load(last)
                facts = self.tell() or facts
            day = hour.start.astimezone(ZONE).strftime("%d %b")
            self.screen.advance(number + 1, len(hours), day, f"{self.rows:,} rows  {facts}")

    def _retrain_under_load(self, hour: Hour | None) -> None:
        # Time stands still while a model is trained, the callers do not: they repeat the last
        # request, under the same ids, so that the swap happens under load and adds no row.
        training = threading.Thread(target=self.retrain, name="retrain", daemon=True)
        training.start()
        while training.is_alive():
            if hour is not None:
                self._ask(hour.records)
            training.join(PAUSE)

    def _predict(self, records: list[dict[str, Any]]) -> None:
        if records and self._ask(records):
            self.rows += len(records)

    def _ask(self, records: list[dict[str, Any]]) -> bool:
        try:
            self.client.predict(MODEL, records)
        except WatchkeeperError as exc:
            self.failed += 1
            self.errors.append(str(exc))
            return False
        return True

    def _label(self, labels: list[dict[str, Any]]) -> None:
        if not labels:
            return
        try:
            self.client.log_labels(MODEL, labels)
        except WatchkeeperError as exc:
            self.failed += 1
            self.errors.append(str(exc))

    def _announce(self, hour: Hour) -> None:
        if hour.weather_broken and "broken" not in self._announced:
            self._announced.add("broken")
            days = (BROKEN_UNTIL - BROKEN_FROM).days
            self.screen.event(
                hour.start,
                "fault",
                f"Fault injected by this demo: the weather join breaks for {days} days; "
                "its nine columns are null.",
            )
        over = not hour.weather_broken and hour.start.astimezone(ZONE).date() >= BROKEN_UNTIL
        if over and "mended" not in self._announced:
            self._announced.add("mended")
            self.screen.event(hour.start, "fault", "The weather join is back (fault removed).")


def _ends_a_day(instant: datetime) -> bool:
    # One hour after local midnight: the day's last tile is closed and its rows are in.
    local = instant.astimezone(ZONE)
    return timedelta(hours=local.hour, minutes=local.minute) == timedelta(hours=1)
