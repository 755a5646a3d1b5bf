"""What a channel is asked to send, and what can become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from alerts.message import Message
from alerts.model import DeliveryKind
from alerts.story import Story


class OutcomeKind(StrEnum):
    """What is known after a call, and so what has to follow.

    ``SENT``: it arrived. ``THROTTLED``: not now. ``NOT_SENT``: it surely did not arrive.
    ``AMBIGUOUS``: it may have arrived; look before sending again. ``UNRENDERABLE``: its form was
    refused. ``BAD_DESTINATION``: the channel cannot take it. ``BAD_CREDENTIALS``: the whole
    transport is shut. ``ROOT_GONE``: the message to edit or answer is no longer there.
    ``NOTHING_TO_SAY``: the channel has no form for this kind of message, and needs none.
    """

    SENT = "sent"
    THROTTLED = "throttled"
    NOT_SENT = "not_sent"
    AMBIGUOUS = "ambiguous"
    UNRENDERABLE = "unrenderable"
    BAD_DESTINATION = "bad_destination"
    BAD_CREDENTIALS = "bad_credentials"
    ROOT_GONE = "root_gone"
    NOTHING_TO_SAY = "nothing_to_say"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The outcome of one call.

    Parameters
    ----------
    channel, ts
        Where the message stands, when it was sent.
    retry_after
        Seconds that the other side asks to be left alone.
    error
        Short code, without secrets.
    """

    kind: OutcomeKind
    channel: str | None = None
    ts: str | None = None
    retry_after: float = 0.0
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """One message for one address.

    Parameters
    ----------
    delivery_id
        The same at every attempt; the channel stores it where ``find`` can see it.
    root
        Channel and ts of the root message, for edits and replies.
    first_try_at
        Seconds since 1970 on the database's clock, when it was first tried.
    labels
        Short identifiers that may be stored beside the message.
    story
        The same message in plain words.
    mention
        It calls somebody.
    """

    delivery_id: str
    kind: DeliveryKind
    address: str
    message: Message
    root: tuple[str, str] | None = None
    broadcast: bool = False
    first_try_at: float = 0.0
    labels: Mapping[str, str | int] = field(default_factory=dict)
    story: Story | None = None
    mention: bool = False


class FoundKind(StrEnum):
    """What a look-up said: it is there, it is not, nobody can tell, or the look-up failed.

    ``REPEATABLE``: nobody has to look; the other side knows a repeat by its key and drops it.
    """

    FOUND = "found"
    ABSENT = "absent"
    CANNOT_LOOK = "cannot_look"
    FAILED = "failed"
    REPEATABLE = "repeatable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The answer to the question whether a message has arrived.

    Parameters
    ----------
    revision
        The revision of the incident that it shows; it may be older than the incident is now.
    """

    kind: FoundKind
    channel: str | None = None
    ts: str | None = None
    revision: int = 0
    retry_after: float = 0.0
    error: str | None = None


class Channel(Protocol):
    """A way to reach people."""

    def send(self, parcel: Parcel) -> Outcome:
        """Send once, without any retry of its own, and say what is known. Never raises."""
        ...

    def find(self, parcel: Parcel) -> Found:
        """Look whether an earlier attempt arrived. Never raises."""
        ...
