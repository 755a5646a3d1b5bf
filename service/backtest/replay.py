"""Replay planned windows through the real monitor and the real alerts, on a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from alerts.model import IncidentChange, IncidentState, Severity
from alerts.observe import observe
from alerts.repository import Incidents
from alerts.sweep import sweep
from monitor.model import EvaluatedWindow
from monitor.profiles.repository import Profiles, StoredProfile
from monitor.run import Monitor
from service.backtest.plan import Look
from watchkeeper.clock import SteppedClock
from watchkeeper.database import write
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import DAY, Window

#: The version that all rows of a log count as.
VERSION = 1
#: Evaluations of one transaction: a commit each would cost more than the evaluation.
_LOOKS_PER_COMMIT = 50
_WAITING = frozenset({IncidentState.PENDING, IncidentState.RECOVERING})

#: What is known of the tiles of a window at each look at it, where it is not what it was.
ProfilesOf = Callable[[Look], Sequence[StoredProfile]]
Tell = Callable[[float], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the message of an incident said, and how severe it was."""

    severity: Severity
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """A model's past, played again.

    Parameters
    ----------
    profiles
        Newer profiles of a window for a look at it; those of all first looks are stored before.
    told
        By number of the incident, what its message said when it was opened or became more severe.
    """

    engine: Engine
    monitor: Monitor
    settings: ModelSettings
    profiles: ProfilesOf
    told: dict[int, Told] = field(default_factory=dict)

    def run(self, looks: Sequence[Look], tell: Tell) -> dict[Window, EvaluatedWindow]:
        """Take all looks in their order; return the last verdict on each window."""
        found: dict[Window, EvaluatedWindow] = {}
        clock = SteppedClock(looks[0].now)
        for first in range(0, len(looks), _LOOKS_PER_COMMIT):
            with write(self.engine) as session:
                for look in looks[first : first + _LOOKS_PER_COMMIT]:
                    self._advance(session, clock, look.now)
                    found[look.window] = self._look(session, look)
            tell(min(first + _LOOKS_PER_COMMIT, len(looks)) / len(looks))
        with write(self.engine) as session:
            self._sweep(session, clock.now())
        return found

    def _look(self, session: Session, look: Look) -> EvaluatedWindow:
        newer = self.profiles(look)
        if newer:
            tiles = [profile.tile_start for profile in newer]
            Profiles(session).replace(self.settings.model, tiles, newer, look.now)
        evaluated = self.monitor.evaluate(session, self.settings, VERSION, look.window, look.now)
        self._listen(observe(session, evaluated, self.settings, now=look.now))
        return evaluated

    def _advance(self, session: Session, clock: SteppedClock, to: datetime) -> None:
        """Let time pass: what only waits for it happens on the way."""
        if to <= clock.now():
            return
        # The worker sweeps at every tick, so after the last verdict of a moment too.
        self._sweep(session, clock.now())
        for moment in _between(clock.now(), to, min(self.settings.windows.size, DAY)):
            # Of the states, only these end by time alone.
            if not any(each.state in _WAITING for each in Incidents(session).unfinished()):
                break
            self._sweep(session, moment)
        clock.advance_to(to)

    def _sweep(self, session: Session, now: datetime) -> None:
        models: Mapping[str, ModelSettings] = {self.settings.model: self.settings}
        self._listen(sweep(session, models, now=now))

    def _listen(self, changes: Iterable[IncidentChange]) -> None:
        for change in changes:
            incident = change.incident
            known = self.told.get(incident.id)
            if incident.standing.opened_at is not None and (
                known is None or incident.severity.rank > known.severity.rank
            ):
                self.told[incident.id] = Told(severity=incident.severity, words=incident.summary)


def _between(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    moment = start + step
    while moment < end:
        yield moment
        moment += step
