"""The nouns of scheduled work: a run, a claim on it, and what to do about missed fire times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class RunState(StrEnum):
    """Where a run stands."""

    DUE = "due"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class MissedRuns(StrEnum):
    """What becomes of fire times that passed while nobody was there."""

    SKIP = "skip"
    LATEST = "latest"
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right to carry one run through, for as long as the lease is kept up.

    Parameters
    ----------
    schedule_id, fire_time
        The run; ``fire_time`` is event time.
    owner
        Who holds the claim.
    token
        Fencing token: it grows with every claim of the run, and what is written under an older
        one is refused.
    attempt
        How often the run has been claimed, from 1.
    """

    schedule_id: str
    fire_time: datetime
    owner: str
    token: int
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One fire time of one schedule, as it stands.

    Parameters
    ----------
    lease_until, not_before, finished_at
        Seconds since 1970 on the database's wall clock.
    error
        Why the newest attempt failed, in one line.
    """

    schedule_id: str
    fire_time: datetime
    state: RunState
    owner: str | None
    lease_until: float | None
    not_before: float
    finished_at: float | None
    attempts: int
    max_attempts: int
    error: str | None


def catch_up(
    fire_times: Sequence[datetime],
    *,
    policy: MissedRuns,
    now: datetime,
    grace: timedelta,
    at_most: int = 1000,
) -> list[datetime]:
    """Choose which of the fire times that have passed are still to be run.

    Parameters
    ----------
    fire_times
        All that passed since the newest known run, in any order.
    policy
        ``all`` runs every one of them, ``latest`` the newest, ``skip`` none but a newest that
        is no older than ``grace``.
    now
        Event time.
    grace
        How late a run may start and still count as on time.
    at_most
        Of ``all``, keep the newest so many.

    Returns
    -------
    list of datetime
        Oldest first.

    Examples
    --------
    >>> from datetime import UTC
    >>> hours = [datetime(2013, 6, 1, hour, tzinfo=UTC) for hour in (1, 2, 3)]
    >>> now = datetime(2013, 6, 1, 3, 30, tzinfo=UTC)
    >>> grace = timedelta(minutes=5)
    >>> [time.hour for time in catch_up(hours, policy=MissedRuns.LATEST, now=now, grace=grace)]
    [3]
    >>> catch_up(hours, policy=MissedRuns.SKIP, now=now, grace=grace)
    []
    """
    passed = sorted(time for time in fire_times if time <= now)
    if policy is MissedRuns.ALL:
        return passed[-at_most:] if at_most > 0 else []
    newest = passed[-1:]
    if policy is MissedRuns.LATEST:
        return newest
    return [time for time in newest if now - time <= grace]


def back_off(attempt: int, *, first: float = 10.0, longest: float = 3600.0) -> float:
    """Return how many seconds to wait after failure number ``attempt``: doubling, bounded.

    Examples
    --------
    >>> [back_off(attempt) for attempt in (1, 2, 3, 20)]
    [10.0, 20.0, 40.0, 3600.0]
    """
    # Bounded in the exponent as well: a float overflows at 2**1024.
    return min(first * 2.0 ** min(attempt - 1, 60), longest)
