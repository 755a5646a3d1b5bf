"""What the pages show: frozen view models, filled by the queries, read by the templates."""

from __future__ import annotations

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
    DeploymentMark,
    IncidentSpan,
    Quarantine,
    Timeline,
    TimelinePoint,
    TrendPoint,
    newest_judged,
)
from reports.model.runs import EvaluationView, RunRow, RunsView, RunView
from reports.model.verdicts import RuleRow, RulesView

__all__ = [
    "AuditEntry",
    "DeliveryRow",
    "DeploymentMark",
    "DeploymentRow",
    "Distribution",
    "DriftCell",
    "DriftRow",
    "DriftStrip",
    "EvaluationView",
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
    "Timeline",
    "TimelinePoint",
    "TrendPoint",
    "VersionRow",
    "WindowBrief",
    "WindowRow",
    "WindowsView",
    "newest_judged",
]
