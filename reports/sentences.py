"""What a page says in whole sentences, and the tone in which a state is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from alerts.burning import burn_facts
from monitor.model import CheckStatus
from monitor.performance.burn import Burn
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
    WatchView,
)
from watchkeeper.window import Window

_RUN_TONES: Mapping[str, str] = {
    "succeeded": "healthy",
    "failed": "critical",
    "held": "warning",
    "refused": "warning",
    "queued": "running",
    "running": "running",
    "escalated": "warning",
}
_DELIVERY_TONES: Mapping[str, str] = {
    "sent": "healthy",
    "dead": "critical",
    "ambiguous": "warning",
    "pending": "running",
    "leased": "running",
}
_MESSAGES: Mapping[str, str] = {
    "root": "First message",
    "update": "Edit of it",
    "reply": "Reply in its thread",
}
_SURGE = 0.02


def headline(view: ModelView) -> str:
    """Say how the model does: its newest measured value against its limit."""
    newest = view.timeline.newest if view.timeline else None
    if newest is None or view.timeline is None:
        return "Its performance has not been measured yet."
    name = words.sentence(words.metric_name(view.timeline.metric))
    text = f"{name} was {words.number(newest.value)}{_interval(newest)}"
    text += f" on {words.span(newest.window, view.timeline.zone)}"
    if newest.status is CheckStatus.INSUFFICIENT_DATA:
        return f"{text}; it is too early for a verdict."
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


def budget_words(view: ModelView) -> str:
    """Say what the alarm budget is worth, and why it is not shown to hold."""
    if view.budget is None:
        return ""
    parts = [view.budget.sentence, view.budget.doubt and f"not shown to hold: {view.budget.doubt}"]
    said = "; ".join(part for part in parts if part)
    metric = view.row.metric or ""
    said = said.replace(metric, words.metric_name(metric)) if metric else said
    return f"Alarm budget of {view.budget.allowed}: {said}."


def burn_words(burn: Burn) -> str:
    """Say what a loss has cost beyond the tolerance since it began, and how fast.

    Examples
    --------
    >>> burn_words(Burn(metric="mae", windows=2, waiting=0, labels=200, days=2.0, excess=8.0))
    'Loss beyond tolerance: MAE 8.000 in all over 200 labelled rows (0.040 a row), 4.000 a day.'
    """
    return " ".join(f"{name}: {value}." for name, value in burn_facts(burn))


def watch_words(found: WatchView) -> str:
    """Say when deliveries were last checked, and what was found.

    Examples
    --------
    >>> watch_words(WatchView(ok=True, seconds=20.2))
    'All open pages are delivered or on their way; last checked 20 s ago.'
    """
    if found.seconds is None:
        return "No worker has checked yet whether its pages arrive."
    since = f"last checked {words.elapsed(timedelta(seconds=found.seconds))} ago"
    if found.ok:
        return f"All open pages are delivered or on their way; {since}."
    return f"{words.sentence('; '.join(found.findings))}; {since}."


def watch_tone(found: WatchView) -> str:
    """Return the tone in which the watch over the watch is shown."""
    if found.seconds is None:
        return "unknown"
    return "healthy" if found.ok else "critical"


def verdict(found: EvaluationView) -> str:
    """Say how the challenger did against the champion."""
    if found.difference is None:
        return words.sentence(found.reason) or "There is no verdict."
    side = "lower" if found.difference >= 0 else "higher"
    loss = words.metric_name(found.metric)
    text = f"The challenger’s {loss} is {side} by {words.number(abs(found.difference))}"
    if found.lower is not None and found.upper is not None:
        text += f" (95 % interval {words.number(found.lower)} to {words.number(found.upper)})"
    days = f" of {found.days} days" if found.days else ""
    return f"{text} on the same {words.count(found.rows)} newest labelled rows{days}."


def limit_of(found: Finding) -> str:
    """Write the limit that a finding was held against; a dash when there is none."""
    return words.number(found.limit)


def incident_name(row: IncidentRow) -> str:
    """Return what people call an incident: ``INC-0142``."""
    return f"INC-{int(row.id):04d}" if row.id.isdecimal() else row.id


def run_state(row: RunRow) -> str:
    """Name what came of a run; a success says what it led to."""
    if row.state != "succeeded" or row.evaluation is None:
        return words.plain(row.state)
    return {"promote": "promoted", "keep": "champion kept"}.get(row.evaluation.verdict, "succeeded")


def strip_span(strip: DriftStrip, zone: str) -> str:
    """Say which time a drift strip covers."""
    whole = Window(start=strip.windows[0].start, end=strip.windows[-1].end)
    return words.span(whole, zone)


def run_title(row: RunRow) -> str:
    """Name a run, or the decision not to have one."""
    return words.sentence(row.id.replace("-", " no. ")) if row.held else f"Run {row.id}"


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


def message_kind(kind: str) -> str:
    """Say what a message is to its reader."""
    return _MESSAGES.get(kind, words.sentence(words.plain(kind)))


def null_surge(card: FeatureCard) -> bool:
    """Return whether the share of nulls has risen enough to be pointed out."""
    if card.null_current is None:
        return False
    return card.null_current - (card.null_reference or 0.0) > _SURGE
