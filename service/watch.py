"""What the auditor cannot see from the messages alone: schedules that fire, loops that turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from alerts.audit import Check, Finding
from service.loops import Loop
from service.schedule import EVALUATE, fire_time
from watchkeeper.clock import Clock
from watchkeeper.database import read
from watchkeeper.jobs.model import RunState
from watchkeeper.jobs.rows import RunRow
from watchkeeper.model_settings import ModelSettings

#: An evaluation that has begun may take this long; its lease is renewed by the one who works.
_LONG_WORK = 1800.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long a loop may rest and how long it may work, in seconds."""

    loop: Loop
    rest: float
    work: float


def turning(paces: Sequence[Pace]) -> Check:
    """Return the check that loops are alive, neither resting nor working for too long."""

    def check() -> list[Finding]:
        found = []
        for pace in paces:
            loop = pace.loop
            if not loop.is_alive:
                found.append(Finding(kind="loop", text=f"{loop.name} has ended"))
            elif loop.working_for > pace.work:
                text = f"{loop.name} has been at the same work for {loop.working_for:.0f} s"
                found.append(Finding(kind="loop", text=text, seconds=loop.working_for))
            elif loop.silent_for > pace.rest + (pace.work if loop.working_for else 0):
                # One that fails may be caught at its next attempt.
                text = f"{loop.name} has done nothing for {loop.silent_for:.0f} s"
                found.append(Finding(kind="loop", text=text, seconds=loop.silent_for))
        return found

    return check


def fired(
    engine: Engine, models: Mapping[str, ModelSettings], clock: Clock, *, allowance: timedelta
) -> Check:
    """Return the check that every model's newest fire time was evaluated.

    Parameters
    ----------
    allowance
        Event time from a fire time to the end of its evaluation, unless it is being worked on.
    """
    # A process that has just begun may find the fire times of a night that nobody was there.
    began = clock.now()

    def check() -> list[Finding]:
        now = clock.now()
        with read(engine) as session:
            found = [
                _overdue(session, name, settings, since=max(due, began), now=now)
                for name, settings in models.items()
                if now - max(due := fire_time(now, settings.windows.tile), began) > allowance
            ]
        return [finding for finding in found if finding is not None]

    return check


def _overdue(
    session: Session, name: str, settings: ModelSettings, *, since: datetime, now: datetime
) -> Finding | None:
    due = fire_time(now, settings.windows.tile)
    run = session.scalars(
        select(RunRow)
        .where(RunRow.schedule_id == EVALUATE + name, RunRow.fire_time >= due)
        .order_by(RunRow.fire_time.desc())
        .limit(1)
    ).first()
    late = (now - since).total_seconds()
    if run is None:
        return Finding(kind="schedule", text=f"no evaluation of {name} was ordered", seconds=late)
    at_work = run.state == RunState.RUNNING and late < _LONG_WORK
    if run.state == RunState.DONE or at_work:
        return None
    text = f"the evaluation of {name} is {run.state} for {late:.0f} s"
    return Finding(kind="schedule", text=text, seconds=late)
