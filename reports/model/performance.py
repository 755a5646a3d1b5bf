"""A metric over time, and what happened meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.model import CheckStatus, Family
from watchkeeper.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class TrendPoint:
    """One window of a sparkline; value None where nothing could be measured."""

    at: datetime
    value: float | None
    status: CheckStatus = CheckStatus.OK


@dataclass(frozen=True, kw_only=True, slots=True)
class TimelinePoint:
    """One window of a metric over time.

    Parameters
    ----------
    value, lower, upper
        The metric and its 95 % interval; None where it could not be measured.
    limit, reference
        Where the tolerance ends and the level it is counted from, for this window's version.
    status, overall
        The verdict on this metric, and on the window as a whole.
    mature
        Whether its labels have had their whole delay to arrive.
    """

    window: Window
    version: int
    value: float | None
    status: CheckStatus
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None
    reference: float | None = None
    rows: int = 0
    labels: int = 0
    mature: bool = True
    overall: CheckStatus = CheckStatus.INSUFFICIENT_DATA


@dataclass(frozen=True, kw_only=True, slots=True)
class EstimatePoint:
    """What was expected of a window from its scores alone, and whether that is trusted."""

    window: Window
    version: int
    value: float
    lower: float | None = None
    upper: float | None = None
    trusted: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidencePoint:
    """The evidence of decay after a window.

    Parameters
    ----------
    share
        Its logarithm over that of what pages; at least 0, and 1 where it pages.
    alarmed
        Whether it has paged, and the trouble lasts.
    """

    window: Window
    version: int
    share: float
    alarmed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetView:
    """How many pages are accepted, and what is known of that.

    Parameters
    ----------
    allowed
        ``1 page a quarter``.
    sentence
        What the reference says of it; empty where it was not tried.
    doubt
        Why it is not shown to hold; empty when it is.
    """

    allowed: str
    sentence: str = ""
    doubt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentMark:
    """A version that took over, drawn on the timeline."""

    at: datetime
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentSpan:
    """One incident on the timeline.

    Parameters
    ----------
    began
        Start of the first bad window.
    start, end
        When it was opened, and when it ended; None while it lasts.
    """

    id: str
    family: Family
    severity: str
    began: datetime
    start: datetime
    end: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantine:
    """Windows that are kept out of training, and why."""

    window: Window
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """A metric of a model over time with what happened meanwhile."""

    model: str
    metric: str
    zone: str
    points: tuple[TimelinePoint, ...]
    higher_is_better: bool = True
    deployments: tuple[DeploymentMark, ...] = ()
    incidents: tuple[IncidentSpan, ...] = ()
    quarantined: tuple[Quarantine, ...] = ()
    estimates: tuple[EstimatePoint, ...] = ()
    evidence: tuple[EvidencePoint, ...] = ()

    @property
    def newest(self) -> TimelinePoint | None:
        """The newest window with a verdict; see `newest_judged`."""
        return newest_judged(self.points)


def newest_judged(points: Sequence[TimelinePoint]) -> TimelinePoint | None:
    """Return the newest window with a verdict; else the newest with a value, or None.

    Labels that come early are not like those that come late: the newest value may still change.
    """
    measured = [point for point in points if point.value is not None]
    judged = [point for point in measured if point.status is not CheckStatus.INSUFFICIENT_DATA]
    return judged[-1] if judged else measured[-1] if measured else None
