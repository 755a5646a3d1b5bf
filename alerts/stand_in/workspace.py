"""What a workspace holds: channels, messages, threads, files; every refusal is one of Slack's."""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts.block_kit import problems

BOT = "U0WATCHKEEPER"
_PERSON = "U0YOU"
#: What an edit does not change.
_LASTING = ("type", "user", "ts", "thread_ts", "subtype")


class RefusedError(Exception):
    """A call is refused with one of Slack's error codes."""

    def __init__(self, error: str, detail: str = "") -> None:
        super().__init__(f"{error}: {detail}" if detail else error)
        self.error = error
        self.detail = detail


@dataclass(kw_only=True, slots=True)
class Room:
    """A channel.

    Parameters
    ----------
    messages
        By ts, in order of posting; replies too.
    visible_from
        Per ts, the wall time from which history shows the message.
    """

    id: str
    name: str
    archived: bool = False
    member: bool = True
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    visible_from: dict[str, float] = field(default_factory=dict)
    edits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class Workspace:
    """The memory of the stand-in; safe to share between threads.

    Parameters
    ----------
    channels
        Name by ID. When given, no others exist; else every well-formed ID is a channel.
    users
        Name by ID.
    history_lag
        Seconds before a message shows up in history.
    """

    def __init__(
        self,
        *,
        channels: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        history_lag: float = 0.0,
    ) -> None:
        self.history_lag = history_lag
        self.users = {BOT: "watchkeeper", _PERSON: "you", **(users or {})}
        self.files: dict[str, dict[str, Any]] = {}
        self.changed = threading.Condition()
        self.revision = 0
        self._any_channel = channels is None
        self._last_ts = 0
        self._rooms = {key: Room(id=key, name=name) for key, name in (channels or {}).items()}

    def room(self, channel: str) -> Room:
        """Return a channel.

        Raises
        ------
        RefusedError
            There is no such channel, or it takes no messages.
        """
        with self.changed:
            if channel not in self._rooms:
                if not self._any_channel or not re.fullmatch(r"[CGD][A-Z0-9]{2,}", channel):
                    raise RefusedError("channel_not_found", channel)
                name = re.sub(r"^[CGD]0?", "", channel).lower() or channel.lower()
                self._rooms[channel] = Room(id=channel, name=name)
            return self._rooms[channel]

    def rooms(self) -> list[Room]:
        """Return all channels."""
        with self.changed:
            return list(self._rooms.values())

    def post(self, channel: str, content: Mapping[str, Any], *, user: str = BOT) -> dict[str, Any]:
        """Post a message or a reply and return it."""
        room = self._open(channel)
        message = _message(content)
        thread = content.get("thread_ts")
        with self.changed:
            if thread is not None and str(thread) not in room.messages:
                raise RefusedError("thread_not_found", str(thread))
            ts = self._next_ts()
            message |= {"type": "message", "user": user, "ts": ts}
            if thread is not None:
                message["thread_ts"] = str(thread)
                if content.get("reply_broadcast"):
                    message["subtype"] = "thread_broadcast"
            room.messages[ts] = message
            room.visible_from[ts] = time.time() + self.history_lag
            self._touch()
        return message

    def update(self, channel: str, ts: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Edit a message in place; what it said before stays in the ledger."""
        room = self._open(channel)
        message = _message(content)
        with self.changed:
            if ts not in room.messages:
                raise RefusedError("message_not_found", ts)
            before = room.messages[ts]
            if before["user"] != BOT:
                raise RefusedError("cant_update_message", ts)
            room.edits.setdefault(ts, []).append(copy.deepcopy(before))
            kept: dict[str, Any] = {name: before[name] for name in _LASTING if name in before}
            room.messages[ts] = {**kept, **message, "edited": {"user": BOT, "ts": self._next_ts()}}
            self._touch()
            return room.messages[ts]

    def delete(self, channel: str, ts: str) -> None:
        """Remove a message."""
        room = self._open(channel)
        with self.changed:
            if room.messages.pop(ts, None) is None:
                raise RefusedError("message_not_found", ts)
            self._touch()

    def history(self, channel: str, *, thread: str | None = None) -> list[dict[str, Any]]:
        """Return what history shows now, oldest first: a channel's messages, or one thread."""
        room = self.room(channel)
        if not room.member:
            raise RefusedError("not_in_channel", channel)
        now = time.time()
        with self.changed:
            if thread is not None and thread not in room.messages:
                raise RefusedError("thread_not_found", thread)
            return [
                copy.deepcopy(message)
                for ts, message in room.messages.items()
                if room.visible_from[ts] <= now and _belongs(message, thread)
            ]

    def visible(self, channel: str) -> list[dict[str, Any]]:
        """Return every message of a channel, replies too, as a person sees them; the ledger."""
        with self.changed:
            return copy.deepcopy(list(self.room(channel).messages.values()))

    def edits(self, channel: str, ts: str) -> list[dict[str, Any]]:
        """Return what a message said before each of its edits."""
        with self.changed:
            return copy.deepcopy(self.room(channel).edits.get(ts, []))

    def _open(self, channel: str) -> Room:
        room = self.room(channel)
        if room.archived:
            raise RefusedError("is_archived", channel)
        if not room.member:
            raise RefusedError("not_in_channel", channel)
        return room

    def _next_ts(self) -> str:
        micros = max(int(time.time() * 1_000_000), self._last_ts + 1)
        self._last_ts = micros
        return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"

    def _touch(self) -> None:
        self.revision += 1
        self.changed.notify_all()


def _message(content: Mapping[str, Any]) -> dict[str, Any]:
    text = str(content.get("text") or "")
    blocks = content.get("blocks") or []
    wrong = problems(text, blocks)
    if wrong:
        error, _, detail = wrong[0].partition(": ")
        raise RefusedError(error, detail)
    message: dict[str, Any] = {"text": text, "blocks": copy.deepcopy(list(blocks))}
    metadata = content.get("metadata")
    if metadata:
        if not isinstance(metadata.get("event_payload"), dict) or not metadata.get("event_type"):
            raise RefusedError("invalid_metadata_format")
        message["metadata"] = copy.deepcopy(metadata)
    return message


def _belongs(message: Mapping[str, Any], thread: str | None) -> bool:
    if "ephemeral_for" in message:
        return False
    if thread is not None:
        return thread in {message["ts"], message.get("thread_ts")}
    return "thread_ts" not in message or message.get("subtype") == "thread_broadcast"
