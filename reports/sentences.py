"""What a page says in whole sentences, and the tone in which a state is shown."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.model import CheckStatus
from reports import words
from reports.model import (
    DeliveryRow,
    DriftStrip,
    EvaluationView,
    FeatureCard,
    Finding,
    IncidentRow,
    ModelView,
    RunRow,
    TimelinePoint,
)
from watchkeeper.window import Window

_RUN_TONES: Mapping[str, str] = {
    "promoted": "healthy",
    "failed": "critical",
    "held": "warning",
    "refused": "warning",
    "queued": "running",
    "running": "running",
    "evaluating": "running",
}
_DELIVERY_TONES: Mapping[str, str] = {
    "sent": "healthy",
    "dead": "critical",
    "ambiguous": "warning",
    "pending": "running",
    "leased": "running",
}
_SURGE = 0.02


def headline(view: ModelView) -> str:
    """Say how the model does: its newest measured value against its limit."""
    points = view.timeline.points if view.timeline else ()
    newest = next((point for point in reversed(points) if point.value is not None), None)
    if newest is None or view.timeline is None:
        return "Its performance has not been measured yet."
    name = words.sentence(words.metric_name(view.timeline.metric))
    text = f"{name} was {words.number(newest.value)}{_interval(newest)}"
    text += f" on {words.span(newest.window, view.timeline.zone)}"
    if newest.limit is None:
        return f"{text}."
    return f"{text}, {_side(newest)} its limit of {words.number(newest.limit)}."


def _interval(point: TimelinePoint) -> str:
    if point.lower is None or point.upper is None:
        return ""
    return f" ({words.number(point.lower)} to {words.number(point.upper)})"


def _side(point: TimelinePoint) -> str:
    if point.status is CheckStatus.CRITICAL:
        return "beyond"
    return "close to" if point.status is CheckStatus.WARNING else "within"


def verdict(found: EvaluationView) -> str:
    """Say how the challenger did against the champion, and what follows."""
    metric = words.metric_name(found.metric)
    if found.difference is None:
        return found.reason or f"No verdict on {metric}."
    change = "gains" if found.difference >= 0 else "loses"
    text = f"The challenger {change} {words.number(abs(found.difference))} {metric}"
    if found.lower is not None and found.upper is not None:
        text += f" (95 % interval {words.number(found.lower)} to {words.number(found.upper)})"
    text += f" on the same {words.count(found.rows)} newest labelled rows"
    return f"{text}: {words.plain(found.verdict)}."


def limits(found: Finding) -> str:
    """Write the limits that a finding was held against.

    Examples
    --------
    >>> from monitor.model import Family
    >>> limits(Finding(status=CheckStatus.CRITICAL, family=Family.PERFORMANCE,
    ...                check="performance", reason="", limit_lower=0.711))
    '≥ 0.711'
    """
    low, high = found.limit_lower, found.limit_upper
    if low is not None and high is not None:
        return f"{words.number(low)} – {words.number(high)}"
    if low is not None:
        return f"≥ {words.number(low)}"
    return "–" if high is None else f"≤ {words.number(high)}"


def strip_span(strip: DriftStrip, zone: str) -> str:
    """Say which time a drift strip covers."""
    whole = Window(start=strip.windows[0].start, end=strip.windows[-1].end)
    return words.span(whole, zone)


def run_title(row: RunRow) -> str:
    """Name a run, or the decision not to have one."""
    return f"Held retrain {row.id}" if row.held else f"Retrain run {row.id}"


def run_tone(row: RunRow) -> str:
    """Return the tone in which a run's state is shown."""
    return _RUN_TONES.get(row.state, "unknown")


def incident_tone(row: IncidentRow) -> str:
    """Return the tone in which an incident's state is shown."""
    if not row.open:
        return "unknown"
    return "critical" if row.severity == "page" else "warning"


def delivery_tone(row: DeliveryRow) -> str:
    """Return the tone in which a message's state is shown."""
    return _DELIVERY_TONES.get(row.state, "unknown")


def null_surge(card: FeatureCard) -> bool:
    """Return whether the share of nulls has risen enough to be pointed out."""
    if card.null_current is None:
        return False
    return card.null_current - (card.null_reference or 0.0) > _SURGE
