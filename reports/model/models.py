"""The overview of all models, and one model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.model import CheckStatus
from monitor.performance.burn import Burn
from reports.model.drift import DriftStrip, FeaturesView, Finding
from reports.model.incidents import IncidentRow
from reports.model.paging import Paging
from reports.model.performance import BudgetView, Timeline, TrendPoint
from reports.model.runs import RunRow
from reports.model.segments import SegmentsView
from reports.model.watch import WatchView
from watchkeeper.schema import Task
from watchkeeper.window import Window


class Health(StrEnum):
    """The state of a model at a glance; ``unknown`` says that nothing was judged yet."""

    CRITICAL = "critical"
    WARNING = "warning"
    UNKNOWN = "unknown"
    HEALTHY = "healthy"


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowBrief:
    """The newest evaluated window of a model."""

    window: Window
    rows: int
    labels: int
    status: CheckStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRow:
    """One model in the overview.

    Parameters
    ----------
    metric
        The metric that the tolerance is about.
    value, lower, upper, verdict
        Its newest judged value with its 95 % interval, and the judgement.
    limit
        Where the tolerance ends.
    higher_is_better
        Direction of the metric.
    trend
        Oldest first.
    """

    name: str
    zone: str
    health: Health
    task: Task | None = None
    owner: str | None = None
    team: str | None = None
    champion: int | None = None
    deployed_at: datetime | None = None
    last: WindowBrief | None = None
    metric: str | None = None
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    verdict: CheckStatus | None = None
    limit: float | None = None
    higher_is_better: bool = True
    trend: tuple[TrendPoint, ...] = ()
    open_incidents: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelsView:
    """The overview of all models, those in trouble first."""

    rows: tuple[ModelRow, ...]
    paging: Paging
    as_of: datetime
    search: str = ""
    open_incidents: int = 0
    in_trouble: int = 0
    watch: WatchView | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowRow:
    """One evaluated window in the table of windows."""

    window: Window
    version: int
    status: CheckStatus
    rows: int
    labels: int
    mature: bool
    revision: int = 0
    evaluated_at: datetime | None = None
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    findings: int = 0
    quarantined: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowsView:
    """The windows of a model, newest first."""

    metric: str | None
    rows: tuple[WindowRow, ...]
    paging: Paging


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionRow:
    """One registered version of a model."""

    version: int
    created_at: datetime
    artifact_format: str
    artifact_sha256: str
    generation: int
    metrics: tuple[tuple[str, float], ...] = ()
    training_run_id: int | None = None
    champion: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentRow:
    """One entry of the deployments ledger."""

    generation: int
    version: int
    at: datetime
    decided_by: str
    reason: str
    challenger: int | None = None
    weight: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelView:
    """Everything about one model."""

    row: ModelRow
    as_of: datetime
    timeline: Timeline | None
    strip: DriftStrip | None
    features: FeaturesView
    windows: WindowsView
    findings: tuple[Finding, ...] = ()
    versions: tuple[VersionRow, ...] = ()
    deployments: tuple[DeploymentRow, ...] = ()
    incidents: tuple[IncidentRow, ...] = ()
    runs: tuple[RunRow, ...] = ()
    channel: str | None = None
    label_delay: str | None = None
    tolerance: str | None = None
    budget: BudgetView | None = None
    segments: SegmentsView | None = None
    burn: Burn | None = None
