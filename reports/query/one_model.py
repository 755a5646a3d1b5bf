"""Everything about one model, gathered from the queries of each part."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from reports import words
from reports.model import (
    DeploymentRow,
    Filter,
    ModelView,
    Paging,
    Timeline,
    TimelinePoint,
)
from reports.query import decay, drift, fleet, incidents, performance, runs, segments, versions
from watchkeeper.model_settings import ModelSettings
from watchkeeper.tolerance import Better, Tolerance

_WINDOWS = 20
_FEW = Paging(number=1, size=10, total=10)
_BEFORE, _AFTER = 30, 5


def everything(
    session: Session,
    models: Mapping[str, ModelSettings],
    name: str,
    *,
    now: datetime,
    feature: str,
    window: datetime | None,
    page: int,
    windows_page: int,
) -> ModelView:
    """Return one model; see `Reader.model` for the parameters."""
    settings = models.get(name)
    zones = {name: zone_of(settings)}
    (row,) = fleet.rows(session, models, [name], incidents.burdens(session))
    ledger = versions.deployments(session, name)
    timeline = _timeline(session, settings, name, ledger)
    newest = performance.window_of(session, name, None)
    shown = performance.window_of(session, name, window) if window else newest
    return ModelView(
        row=row,
        as_of=now,
        timeline=timeline,
        strip=drift.strip(session, name, [p.window for p in timeline.points] if timeline else ()),
        features=drift.features(
            session, name, shown, search=feature, page=page, usual=_reference(settings)
        ),
        windows=performance.windows(
            session, name, metric_of(settings), page=windows_page, size=_WINDOWS
        ),
        findings=drift.findings(session, newest),
        versions=versions.registered(session, name, row.champion),
        deployments=ledger,
        incidents=incidents.listed(session, zones, state=Filter.ALL, paging=_FEW, model=name),
        runs=runs.listed(session, zones, _FEW, model=name),
        channel=settings.owner.channel if settings else None,
        label_delay=words.elapsed(settings.label.delay) if settings else None,
        tolerance=_tolerance(settings, timeline.points if timeline else ()),
        budget=decay.budget(session, settings, row.champion) if settings else None,
        segments=segments.segments(session, name, timeline.metric, timeline.points)
        if timeline and settings and settings.segments
        else None,
        burn=incidents.burning(session, name),
    )


def timeline_around(
    session: Session,
    settings: ModelSettings | None,
    name: str,
    *,
    start: datetime,
    end: datetime,
) -> Timeline | None:
    """Return the metric from some windows before an incident to some after it."""
    if settings is None:
        return None
    size = settings.windows.size
    return _timeline(
        session,
        settings,
        name,
        versions.deployments(session, name),
        start=start - _BEFORE * size,
        end=end + _AFTER * size,
    )


def metric_of(settings: ModelSettings | None) -> str | None:
    """Return the metric that the tolerance is about; None without settings."""
    return settings.tolerance.metric if settings else None


def zone_of(settings: ModelSettings | None) -> str:
    """Return the model's time zone; UTC without settings."""
    return settings.windows.timezone.key if settings else "UTC"


def _timeline(
    session: Session,
    settings: ModelSettings | None,
    name: str,
    ledger: tuple[DeploymentRow, ...],
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Timeline | None:
    if settings is None:
        return None
    metric = settings.tolerance.metric
    points = performance.timeline(
        session, name, metric, start=start, end=end, own=settings.own_metrics
    )
    if not points:
        return None
    first, last = points[0].window.start, points[-1].window.end
    estimates, evidence = decay.around(session, name, metric, points)
    return Timeline(
        model=name,
        metric=metric,
        zone=zone_of(settings),
        points=points,
        higher_is_better=settings.tolerance.better is Better.HIGHER,
        deployments=versions.marks(ledger),
        incidents=incidents.spans(session, name, first, last),
        quarantined=runs.quarantined(session, name, first, last),
        estimates=estimates,
        evidence=evidence,
    )


def _tolerance(settings: ModelSettings | None, points: tuple[TimelinePoint, ...]) -> str | None:
    if settings is None:
        return None
    tolerance = settings.tolerance
    verb = "fall" if tolerance.better is Better.HIGHER else "rise"
    text = (
        f"{words.sentence(words.metric_name(tolerance.metric))} may {verb} by {_amount(tolerance)}"
    )
    known = [point for point in points if point.limit is not None and point.reference is not None]
    if not known:
        return text
    level, limit = words.number(known[-1].reference), words.number(known[-1].limit)
    return f"{text}, from {level} to {limit}"


def _amount(tolerance: Tolerance) -> str:
    change = tolerance.change
    return words.share(change.amount) if change.relative else words.number(change.amount)


def _reference(settings: ModelSettings | None) -> str:
    """Say what the settings have columns compared with."""
    if settings is None or settings.reference.kind == "fixed":
        return "the fixed reference"
    if settings.reference.kind == "seasonal":
        return f"earlier windows of the same {words.plain(settings.reference.same or 'season')}"
    return "the windows before it"
