"""What a back-test found: windows, incidents, and what became of the alarm budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitor.model import CheckStatus
from watchkeeper.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A measured number with its 95 % interval; None where undefined."""

    value: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityFinding:
    """A broken data contract; no column where it is about the rows as a whole."""

    column: str | None
    check: str
    status: CheckStatus
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """A column that is not distributed as in the reference."""

    column: str
    metric: str
    value: float | None
    status: CheckStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class BacktestWindow:
    """The last verdict on a window.

    Parameters
    ----------
    limit
        Of the judged metric; None where it was not judged.
    reason
        What was said of the judged metric.
    """

    window: Window
    rows: int
    labels: int
    labels_mature: bool
    status: CheckStatus
    measurements: Mapping[str, Value]
    quality: tuple[QualityFinding, ...]
    drift: tuple[Drift, ...]
    limit: float | None
    performance: CheckStatus
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the window as plain JSON types."""
        return {
            "start": self.window.start.isoformat(),
            "end": self.window.end.isoformat(),
            "rows": self.rows,
            "labels": self.labels,
            "labels_mature": self.labels_mature,
            "status": str(self.status),
            "performance": str(self.performance),
            "measurements": {
                name: {"value": found.value, "lower": found.lower, "upper": found.upper}
                for name, found in self.measurements.items()
            },
            "quality": [
                {"column": q.column, "check": q.check, "status": str(q.status), "detail": q.detail}
                for q in self.quality
            ],
            "drift": [
                {"column": d.column, "metric": d.metric, "value": d.value, "status": str(d.status)}
                for d in self.drift
            ],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class BacktestIncident:
    """An incident as its owner would have seen it.

    Parameters
    ----------
    started_at
        Start of the first bad window.
    opened_at, resolved_at
        When it would have been told, and when it would have ended; the latter None if it was open
        at the end of the log.
    paged_at
        Each time somebody would have been paged.
    """

    severity: str
    family: str
    columns: tuple[str, ...]
    summary: str
    started_at: datetime
    opened_at: datetime
    resolved_at: datetime | None
    paged_at: tuple[datetime, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the incident as plain JSON types."""
        return {
            "started_at": self.started_at.isoformat(),
            "opened_at": self.opened_at.isoformat(),
            "resolved_at": None if self.resolved_at is None else self.resolved_at.isoformat(),
            "severity": self.severity,
            "family": self.family,
            "columns": list(self.columns),
            "summary": self.summary,
            "paged_at": [at.isoformat() for at in self.paged_at],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class BacktestBudget:
    """The alarm budget over the log that was replayed.

    Parameters
    ----------
    pages_allowed
        For the length of the log, in proportion.
    more
        What the monitor itself says of the budget.
    """

    pages_allowed: float
    pages_sent: int
    per: str
    days: float
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the budget as plain JSON types."""
        return {
            **self.more,
            "pages_allowed": self.pages_allowed,
            "pages_sent": self.pages_sent,
            "per": self.per,
            "days": self.days,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class BacktestReference:
    """What the windows were compared with."""

    table: str
    start: datetime
    end: datetime
    rows: int
    labels: int
    level: float | None
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the reference as plain JSON types."""
        return {
            "table": self.table,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "rows": self.rows,
            "labels": self.labels,
            "level": self.level,
            "note": self.note,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class BacktestResult:
    """Everything that a back-test found.

    Parameters
    ----------
    metric
        The judged one.
    zone
        The time zone of the windows.
    features
        The columns that were watched.
    left_out
        Columns that could have been features, and why they are not watched.
    """

    model: str
    table: str
    metric: str
    higher_is_better: bool
    zone: str
    reference: BacktestReference
    windows: tuple[BacktestWindow, ...]
    incidents: tuple[BacktestIncident, ...]
    budget: BacktestBudget
    features: tuple[str, ...]
    left_out: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON types."""
        return {
            "model": self.model,
            "table": self.table,
            "metric": self.metric,
            "reference": self.reference.to_dict(),
            "features": list(self.features),
            "left_out": dict(self.left_out),
            "windows": [window.to_dict() for window in self.windows],
            "incidents": [incident.to_dict() for incident in self.incidents],
            "budget": self.budget.to_dict(),
        }
