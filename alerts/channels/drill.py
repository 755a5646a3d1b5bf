"""The real channels, with every message marked as a drill and a button that changes nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alerts.channels.outcome import Channel, Found, Outcome, Parcel
from alerts.message import Message

#: The only button of a drill.
DRILL = "drill.ack"
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

    def send(self, parcel: Parcel) -> Outcome:
        """Mark the message and hand it on."""
        return self._channel.send(self._marked(parcel))

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
        return replace(parcel, message=message, story=story)

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
