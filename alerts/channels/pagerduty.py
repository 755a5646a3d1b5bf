"""PagerDuty as a channel: the incident is triggered, acknowledged and resolved there as here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.channels.http import TIMEOUT, Answer, classify, post
from alerts.channels.outcome import Found, FoundKind, Outcome, OutcomeKind, Parcel
from alerts.model import FINAL_STATES, DeliveryKind, IncidentState
from alerts.story import Story

_PATH = "/v2/enqueue"
_SEVERITIES = {"page": "critical", "ticket": "warning", "digest": "info"}
_OVER = frozenset({IncidentState.RESOLVED, *FINAL_STATES})
_TAKEN = frozenset({IncidentState.ACKED, IncidentState.MITIGATING, IncidentState.SNOOZED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Integration:
    """One service of PagerDuty: its integration key, and the address of its region."""

    key: str
    url: str

    def __repr__(self) -> str:
        return "Integration(…)"


class PagerDutyChannel:
    """Services of PagerDuty by the names that destinations call them.

    Parameters
    ----------
    integrations
        By name; Events API v2.
    """

    def __init__(
        self, integrations: Mapping[str, Integration], *, timeout: float = TIMEOUT
    ) -> None:
        self._integrations = integrations
        self._timeout = timeout

    def send(self, parcel: Parcel) -> Outcome:
        """Post the event that the incident's state asks for, once."""
        integration = self._integrations.get(parcel.address)
        if integration is None or parcel.story is None:
            return Outcome(kind=OutcomeKind.BAD_DESTINATION, error="no_such_integration")
        action = action_of(parcel)
        if action is None:
            return Outcome(kind=OutcomeKind.NOTHING_TO_SAY)
        event = {"routing_key": integration.key, **event_of(parcel.story, action)}
        answer = post(
            integration.url.rstrip("/") + _PATH,
            json.dumps(event).encode(),
            {},
            timeout=self._timeout,
        )
        outcome = _read(answer) if isinstance(answer, Answer) else answer
        if outcome.kind is not OutcomeKind.SENT:
            return outcome
        return Outcome(kind=OutcomeKind.SENT, channel=parcel.address, ts=parcel.story.thread)

    def find(self, parcel: Parcel) -> Found:
        """Nobody has to look: PagerDuty knows a repeat by its dedup_key."""
        del parcel
        return Found(kind=FoundKind.REPEATABLE)


def action_of(parcel: Parcel) -> str | None:
    """Return what PagerDuty is to do, or None when the message is of no concern to it.

    A change of the facts is not sent: it would open again there what a person has closed there.
    """
    state = None if parcel.story is None else parcel.story.state
    if state in _OVER:
        return None if parcel.kind is DeliveryKind.REPLY else "resolve"
    if state in _TAKEN:
        return "acknowledge" if parcel.kind is DeliveryKind.UPDATE else None
    calls = parcel.kind is DeliveryKind.ROOT or parcel.mention
    return "trigger" if state and calls else None


def event_of(story: Story, action: str) -> dict[str, Any]:
    """Return an event of Events API v2 without its key."""
    event: dict[str, Any] = {"event_action": action, "dedup_key": story.thread}
    if action != "trigger":
        return event
    details = story.details or {}
    payload = {
        "summary": (story.subject or story.text)[:1024],
        "source": details.get("model") or "watchkeeper",
        "severity": _SEVERITIES.get(story.severity, "error"),
        "component": details.get("model"),
        "group": details.get("team"),
        "class": details.get("family"),
        "custom_details": {**dict(story.facts), "story": story.text, "news": story.news},
    }
    event |= {"client": "watchkeeper", "payload": payload}
    if story.link:
        event |= {"client_url": story.link, "links": [{"href": story.link, "text": story.name}]}
    return event


def _read(answer: Answer) -> Outcome:
    outcome = classify(answer)
    said = _status(answer.body)
    if outcome.kind is OutcomeKind.SENT and said != "success":
        # A proxy's page, or an answer that was cut off: it may or may not have arrived.
        return Outcome(kind=OutcomeKind.AMBIGUOUS, error="not_an_answer_of_pagerduty")
    if outcome.kind is OutcomeKind.UNRENDERABLE and b"routing" in answer.body.lower():
        return Outcome(kind=OutcomeKind.BAD_DESTINATION, error="integration_key_refused")
    return outcome


def _status(body: bytes) -> str | None:
    try:
        data = json.loads(body)
    except ValueError:
        return None
    return data.get("status") if isinstance(data, dict) else None
