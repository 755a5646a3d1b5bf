"""The real channels, with every message marked as a drill and a button that changes nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alerts.channels.outcome import Channel, Found, Outcome, OutcomeKind, Parcel
from alerts.message import Message
from alerts.model import DeliveryKind, IncidentState

#: The only button of a drill.
DRILL = "drill.ack"
_TRIES = 3
_WORDS = "This is a drill: a fault was put into a copy of the data. Nothing real is wrong."


class DrillChannel:
    """A channel that says of everything that it is a drill.

    Parameters
    ----------
    number
        Of the drill; the button names it.
    interactive
        Whether somebody listens to the button.
    """

    def __init__(self, channel: Channel, *, number: int, interactive: bool) -> None:
        self._channel = channel
        self._number = number
        self._interactive = interactive
        self._told: dict[str, Parcel] = {}

    def send(self, parcel: Parcel) -> Outcome:
        """Mark the message and hand it on."""
        marked = self._marked(parcel)
        # Kept before the call: what may have arrived must be ended as well.
        self._told[parcel.address] = marked
        return self._channel.send(marked)

    def follow(self, state: IncidentState) -> list[str]:
        """Tell every address that was told how the drill stands; return where that failed."""
        failed = []
        for address, told in self._told.items():
            story = None if told.story is None else replace(told.story, state=str(state), news="")
            news = replace(
                told,
                kind=DeliveryKind.UPDATE,
                delivery_id=f"{told.delivery_id}.{state}",
                story=story,
            )
            if not any(self._arrived(news) for _ in range(_TRIES)):
                failed.append(address)
        return failed

    def _arrived(self, parcel: Parcel) -> bool:
        outcome = self._channel.send(parcel)
        return outcome.kind in (OutcomeKind.SENT, OutcomeKind.NOTHING_TO_SAY)

    def find(self, parcel: Parcel) -> Found:
        """Look for it as the channel does."""
        return self._channel.find(self._marked(parcel))

    def _marked(self, parcel: Parcel) -> Parcel:
        message = Message(
            text=f"DRILL. {parcel.message.text} {_WORDS}", blocks=self._blocks(parcel.message)
        )
        story = parcel.story
        if story is not None:
            story = replace(
                story,
                topic=f"DRILL: {story.topic}",
                subject=f"DRILL: {story.subject}"[:150],
                text=f"DRILL. {_WORDS} {story.text}",
                thread=f"{story.thread}-drill-{self._number}",
                link="",
            )
        labels = {**parcel.labels, "drill": self._number}
        return replace(parcel, message=message, story=story, labels=labels)

    def _blocks(self, message: Message) -> tuple[Mapping[str, Any], ...]:
        if not message.blocks:
            return ()
        words: dict[str, Any] = {
            "type": "section",
            "text": {"type": "mrkdwn", "text": f":construction: *DRILL* {_WORDS}"},
        }
        kept = [block for block in message.blocks if block.get("type") != "actions"]
        return (words, *map(_titled, kept), *([self._button()] if self._interactive else ()))

    def _button(self) -> dict[str, Any]:
        text = {"type": "plain_text", "text": "Acknowledge the drill", "emoji": True}
        button = {"type": "button", "action_id": DRILL, "text": text, "value": f"{self._number}.1"}
        return {"type": "actions", "elements": [{**button, "style": "primary"}]}


def _titled(block: Mapping[str, Any]) -> Mapping[str, Any]:
    if block.get("type") != "header":
        return block
    # Cut between words, never within an entity such as &amp;.
    title = textwrap.shorten(f"DRILL · {block['text']['text']}", 150, placeholder="…")
    return {**block, "text": {**block["text"], "text": title}}
