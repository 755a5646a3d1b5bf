"""The nouns of retraining: runs, decisions, quarantined windows, and what a policy looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from watchkeeper.window import Window


class RunState(StrEnum):
    """Where a retraining run is; the first two are live, the others are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"


LIVE = (RunState.QUEUED, RunState.RUNNING)


class Trigger(StrEnum):
    """What asked for a run; ``first`` is the training of a model's first version."""

    FIRST = "first"
    SCHEDULE = "schedule"
    DRIFT = "drift"
    EXCESS_LOSS = "excess_loss"
    MANUAL = "manual"


class Action(StrEnum):
    """What was decided when a window had been evaluated."""

    NOT_DUE = "not_due"
    QUEUED = "queued"
    HELD = "held"
    ESCALATED = "escalated"


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsideredWindow:
    """One window as the policies see it.

    Parameters
    ----------
    version
        The version that served it.
    loss
        Mean loss of a row in units of the tolerance's metric, lower is better; None until the
        labels are mature.
    standard_error
        Of ``loss``; None where the metric came without an interval.
    labels
        Labelled rows behind ``loss``.
    drifted
        Whether an input or output column has drifted critically.
    """

    window: Window
    version: int
    labels: int = 0
    loss: float | None = None
    standard_error: float | None = None
    drifted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyState:
    """What a model's policy remembers between windows.

    Parameters
    ----------
    level
        The worst loss of a row that is tolerated, fixed at the first version's registration. It
        is not moved by a retrain, or one bad retrain would become the new normal.
    spent_until
        End of the newest window whose excess loss has led to an attempt.
    carried
        Excess loss that is left over from before ``spent_until``.
    attempted_at, useless
        When the last run ended, and how many in a row brought no better model.
    last_run
        Number of that run.
    """

    model: str
    level: float | None = None
    spent_until: datetime | None = None
    carried: float = 0.0
    attempted_at: datetime | None = None
    useless: int = 0
    last_run: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What the owner has set.

    Parameters
    ----------
    policy
        ``never``, ``schedule:30d``, ``drift`` or ``excess_loss``.
    metric
        Name of the tolerance's metric.
    cost
        What one attempt costs, in the units of the summed loss.
    fits
        Models that one attempt fits: more than one when it searches for the best window.
    zone
        In which days are named.
    """

    policy: str
    metric: str
    cost: float
    cooldown: timedelta
    minimum_labels: int
    fits: int = 1
    zone: tzinfo = UTC


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """All that a policy may look at; the windows are those of the champion, oldest first.

    Parameters
    ----------
    windows
        Without those in quarantine and those spent on an earlier attempt.
    trained_at
        When the champion was registered.
    """

    terms: Terms
    state: PolicyState
    windows: tuple[ConsideredWindow, ...]
    trained_at: datetime
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What a policy says of a situation, and why, in one sentence for a person."""

    action: Action
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainDecision:
    """What was decided about retraining when a window had been evaluated.

    Parameters
    ----------
    run_id
        The run that was queued; None for every other action.
    recorded
        Whether this call added it to the record: a hold is recorded once, not at every window.
    """

    model: str
    version: int
    window: Window
    action: Action
    reason: str
    decided_at: datetime
    run_id: int | None = None
    recorded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantinedWindow:
    """A window whose rows are neither judged nor trained on nor held out."""

    model: str
    window: Window
    reason: str
    quarantined_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainRun:
    """One attempt to make a better version.

    Parameters
    ----------
    cause
        One sentence: why now.
    retrain_key
        Unique: the same cause never starts a second run.
    seed
        Fixed when the run is queued, so that a repeated run is the same run.
    fits
        Models that the attempt may fit and is charged for.
    data
        The training set: paths, table versions, row counts, cut-off times.
    version
        The version it produced; None when it produced none.
    evaluation
        How the challenger compared with the champion, as plain JSON types.
    reason
        Why it ended as it did; None while it is live.
    attempts, token
        How often it was claimed, and the fencing token of the last claim.
    """

    id: int
    model: str
    state: RunState
    trigger: Trigger
    cause: str
    retrain_key: str
    requested_by: str
    seed: int
    fits: int
    queued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    token: int = 0
    log_path: str | None = None
    version: int | None = None
    reason: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] | None = None
