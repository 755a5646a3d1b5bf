"""When each model is looked at: fire times of event time, made rows that any worker may claim."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from watchkeeper.database import write
from watchkeeper.jobs.repository import JobRuns
from watchkeeper.model_settings import ModelSettings

#: The schedule of a model's evaluation is this prefix and the model's name.
EVALUATE = "evaluate:"
#: Ended runs are kept this long for the reader, then forgotten.
KEEP = timedelta(days=30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fire_time(now: datetime, every: timedelta) -> datetime:
    """Return the newest fire time of a schedule that repeats ``every`` so often.

    Examples
    --------
    >>> fire_time(datetime(2013, 6, 1, 7, 40, tzinfo=UTC), timedelta(hours=1)).isoformat()
    '2013-06-01T07:00:00+00:00'
    """
    return _EPOCH + (now - _EPOCH) // every * every


def materialise_due(engine: Engine, models: Mapping[str, ModelSettings], now: datetime) -> int:
    """Make the newest fire time of every model's schedule a run; return how many are new.

    Fire times that passed while nobody was there are not made up for: one evaluation catches up
    with everything that has changed since the last.
    """
    added = 0
    with write(engine) as session:
        runs = JobRuns(session)
        for name, settings in models.items():
            added += runs.materialise(EVALUATE + name, fire_time(now, settings.windows.tile))
    return added


def forget_old_runs(engine: Engine, now: datetime) -> int:
    """Delete ended runs that nobody will ask for any more."""
    with write(engine) as session:
        return JobRuns(session).forget(now - KEEP)
