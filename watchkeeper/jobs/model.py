"""The nouns of scheduled work: a run, a claim on it, and how long a failed one waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RunState(StrEnum):
    """Where a run stands."""

    DUE = "due"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


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


def back_off(attempt: int, *, first: float = 10.0, longest: float = 3600.0) -> float:
    """Return how many seconds to wait after failure number ``attempt``: doubling, bounded.

    Examples
    --------
    >>> [back_off(attempt) for attempt in (1, 2, 3, 20)]
    [10.0, 20.0, 40.0, 3600.0]
    """
    # Bounded in the exponent as well: a float overflows at 2**1024.
    return min(first * 2.0 ** min(attempt - 1, 60), longest)
