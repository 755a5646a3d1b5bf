"""Send one marked message to a destination and say what came of it."""

from __future__ import annotations

import time
import uuid

from alerts.channels.outcome import Channel, Outcome, Parcel
from alerts.message import Message
from alerts.model import DeliveryKind, IncidentState, Severity
from alerts.story import Story

_TEXT = "watchkeeper: a test. Nothing is wrong, and nothing has to be done."


def try_channel(channel: Channel, destination: str) -> Outcome:
    """Send a test to a destination such as ``webhook:ops``; what can be resolved is resolved.

    A service that calls people is told in the next moment that it is over.
    """
    thread = f"test-{uuid.uuid4().hex}"
    outcome = channel.send(_parcel(destination, thread, IncidentState.OPEN, DeliveryKind.ROOT))
    if destination.startswith("pagerduty:"):
        channel.send(_parcel(destination, thread, IncidentState.RESOLVED, DeliveryKind.UPDATE))
    return outcome


def _parcel(destination: str, thread: str, state: IncidentState, kind: DeliveryKind) -> Parcel:
    story = Story(
        thread=thread,
        name="TEST",
        severity=str(Severity.TICKET),
        state=str(state),
        topic="TEST of watchkeeper",
        subject="[TEST] watchkeeper can reach you",
        text=_TEXT,
    )
    return Parcel(
        delivery_id=str(uuid.uuid4()),
        kind=kind,
        address=destination.partition(":")[2],
        message=Message(text=_TEXT),
        story=story,
        first_try_at=time.time(),
    )
