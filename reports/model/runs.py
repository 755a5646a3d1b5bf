"""Retrain runs and refusals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reports.model.paging import Paging
from reports.model.performance import Quarantine


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationView:
    """Champion against challenger on the same rows.

    Parameters
    ----------
    metric
        A loss of one row; lower is better.
    champion, challenger
        Its mean.
    difference, lower, upper
        ``champion - challenger`` and its 95 % interval; positive: the challenger is better.
    """

    verdict: str
    metric: str
    rows: int
    days: int | None = None
    champion: float | None = None
    challenger: float | None = None
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """One retrain run, or one decision not to have one."""

    id: str
    model: str
    zone: str
    state: str
    reason: str
    requested_at: datetime
    cause: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    version: int | None = None
    evaluation: EvaluationView | None = None
    held: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RunsView:
    """Retrain runs and refusals, newest first."""

    rows: tuple[RunRow, ...]
    paging: Paging
    as_of: datetime
    model: str = ""
    state: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunView:
    """Everything about one retrain run.

    Parameters
    ----------
    log
        The last lines that the training code printed.
    facts
        Name and value of what the run was given and what it used.
    """

    row: RunRow
    as_of: datetime
    log: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    quarantined: tuple[Quarantine, ...] = ()
