"""A message in plain words, for every channel that does not speak Slack's blocks."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from alerts.block_kit import clean
from alerts.message import View, facts_of, findings_of, first_action, render_plain
from alerts.model import LIVE_STATES

_LONGEST_TEXT = 4000
_SHOWN_COLUMNS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """What is told, without any markup; every string is on one line unless it says otherwise.

    Parameters
    ----------
    thread
        The same for all messages of an incident, in every database another.
    name
        How people call it, ``INC-0142``.
    state, severity
        Of the incident as it stands now; a digest has no state.
    topic
        What it is about; the same for all messages of a thread while its severity is.
    subject
        All that matters, in at most 150 characters.
    text
        The whole story as one paragraph.
    news
        What has just happened, for a message that follows another.
    facts
        Names and values.
    lines
        Findings, or the sections of a digest; several lines.
    details
        Identifiers and names for programs, plain JSON.
    """

    thread: str
    name: str
    severity: str
    topic: str
    subject: str
    text: str
    state: str = ""
    news: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()
    link: str = ""
    details: Mapping[str, Any] | None = None


def tell(view: View, *, news: str = "") -> Story:
    """Return the story of an incident as it stands; no row values, no secrets."""
    incident, standing = view.incident, view.incident.standing
    name = clean(incident.model, 80)
    head = incident.severity.upper() if standing.state in LIVE_STATES else "RESOLVED"
    link = f"{view.public_url.rstrip('/')}/incidents/{incident.id}" if view.public_url else ""
    title, findings = findings_of(view)
    lines = [title, *findings] if findings else []
    topic = f"{incident.severity.upper()} {name}: {incident.family.replace('_', ' ')}"
    owner = [("Why you", incident.owner.why)] if incident.owner.why else []
    if view.duty is not None:
        owner.append(("On call", view.duty.name))
    return Story(
        thread=incident.uid,
        name=incident.name,
        severity=str(incident.severity),
        state=str(standing.state),
        topic=f"{topic} ({incident.name})",
        subject=clean(f"[{head}] {name}: {incident.summary} ({incident.name})", 150),
        text=_plain(render_plain(replace(view, public_url=None)).text),
        news=clean(news, 1500),
        facts=tuple((label, _plain(value)) for label, value in [*facts_of(view), *owner]),
        lines=tuple(_plain(line) for line in [*lines, f"Do first: {first_action(view)}"]),
        link=link,
        details=_details(view),
    )


def bare(view: View, *, news: str = "") -> Story:
    """Return the least that can be told: a page is never lost to its formatting."""
    incident = view.incident
    text = clean(f"{incident.severity.upper()} {incident.name}: {incident.summary}", 500)
    return Story(
        thread=incident.uid,
        name=incident.name,
        severity=str(incident.severity),
        state=str(incident.state),
        topic=f"{incident.severity.upper()} {incident.name}",
        subject=clean(text, 150),
        text=text,
        news=clean(news, 1500),
    )


def _details(view: View) -> dict[str, Any]:
    incident, standing = view.incident, view.incident.standing
    return {
        "id": incident.id,
        "model": clean(incident.model, 200),
        "version": incident.facts.version,
        "family": str(incident.family),
        "summary": clean(incident.summary, 500),
        "columns": [clean(name, 200) for name in incident.columns[:_SHOWN_COLUMNS]],
        "owner": clean(incident.owner.name, 200),
        "team": clean(incident.owner.team, 200),
        "started_at": incident.started_at.isoformat(),
        "resolved_at": standing.resolved_at.isoformat() if standing.resolved_at else None,
        "acknowledged_by": clean(standing.acked_by or "", 200) or None,
        "verdict": str(standing.verdict) if standing.verdict else None,
    }


def _plain(text: str) -> str:
    """Return words that were escaped and marked for Slack without both."""
    return clean(html.unescape(text.replace("*", "").replace("`", "")), _LONGEST_TEXT)
