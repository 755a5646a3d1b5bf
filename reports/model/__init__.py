"""What the pages show: frozen view models, filled by the queries, read by the templates."""

from __future__ import annotations

from reports.model.attribution import AttributionView, Bar
from reports.model.drift import (
    Distribution,
    DriftCell,
    DriftRow,
    DriftStrip,
    FeatureCard,
    FeaturesView,
    Finding,
)
from reports.model.incidents import (
    AuditEntry,
    DeliveryRow,
    Filter,
    IncidentRow,
    IncidentsView,
    IncidentView,
)
from reports.model.models import (
    DeploymentRow,
    Health,
    ModelRow,
    ModelsView,
    ModelView,
    VersionRow,
    WindowBrief,
    WindowRow,
    WindowsView,
)
from reports.model.paging import Paging
from reports.model.performance import (
    BudgetView,
    DeploymentMark,
    EstimatePoint,
    EvidencePoint,
    IncidentSpan,
    Quarantine,
    Timeline,
    TimelinePoint,
    TrendPoint,
    newest_judged,
)
from reports.model.runs import EvaluationView, RunRow, RunsView, RunView
from reports.model.segments import SegmentRow, SegmentsView
from reports.model.verdicts import RuleRow, RulesView
from reports.model.watch import WatchView

__all__ = [
    "AttributionView",
    "AuditEntry",
    "Bar",
    "BudgetView",
    "DeliveryRow",
    "DeploymentMark",
    "DeploymentRow",
    "Distribution",
    "DriftCell",
    "DriftRow",
    "DriftStrip",
    "EstimatePoint",
    "EvaluationView",
    "EvidencePoint",
    "FeatureCard",
    "FeaturesView",
    "Filter",
    "Finding",
    "Health",
    "IncidentRow",
    "IncidentSpan",
    "IncidentView",
    "IncidentsView",
    "ModelRow",
    "ModelView",
    "ModelsView",
    "Paging",
    "Quarantine",
    "RuleRow",
    "RulesView",
    "RunRow",
    "RunView",
    "RunsView",
    "SegmentRow",
    "SegmentsView",
    "Timeline",
    "TimelinePoint",
    "TrendPoint",
    "VersionRow",
    "WatchView",
    "WindowBrief",
    "WindowRow",
    "WindowsView",
    "newest_judged",
]
