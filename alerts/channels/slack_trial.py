"""Try every call that alerting makes of Slack, in a real channel, and leave nothing behind."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.web import WebClient

from alerts.channels.outcome import FoundKind, OutcomeKind, Parcel
from alerts.channels.slack import SlackChannel, classify
from alerts.message import Message
from alerts.model import DeliveryKind

_HINTS = {
    "invalid_auth": "the token is wrong; copy the bot token, it begins with xoxb-",
    "token_revoked": "the token was revoked; install the app again",
    "missing_scope": "give the app the scopes chat:write, channels:history and files:write",
    "channel_not_found": "use the channel's ID (C…), and invite the app when it is private",
    "not_in_channel": "invite the app: /invite @watchkeeper",
    "is_archived": "the channel is archived; name another",
    "no_channel_configured": "name a channel, or set slack.channel in watchkeeper.yaml",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One call and what came of it; ``problem`` says what to do about it."""

    name: str
    seconds: float
    problem: str | None = None


def try_slack(client: WebClient, channel: str | None) -> Iterator[Step]:
    """Post, find, edit, answer and delete a test message; yield each step as it is done.

    Nothing follows a message that could not be posted. Without the right to read history alerting
    works, but may repeat a message after an interruption.
    """
    slack = SlackChannel(client, default_channel=channel)
    began = time.time()

    def parcel(kind: DeliveryKind, text: str, root: tuple[str, str] | None) -> Parcel:
        return Parcel(
            delivery_id=str(uuid.uuid4()),
            kind=kind,
            address="default",
            message=Message(text=text),
            root=root,
            first_try_at=began,
        )

    first = parcel(DeliveryKind.ROOT, "watchkeeper: a test, deleted in a moment.", None)
    started = time.monotonic()
    posted = slack.send(first)
    yield _step("post", started, posted.error)
    if posted.kind is not OutcomeKind.SENT or posted.channel is None or posted.ts is None:
        return
    root = (posted.channel, posted.ts)
    yield _timed("find", lambda: _look(slack, first))
    edit = parcel(DeliveryKind.UPDATE, "watchkeeper: a test, edited.", root)
    yield _timed("edit", lambda: slack.send(edit).error)
    reply = parcel(DeliveryKind.REPLY, "watchkeeper: an answer in the thread.", root)
    started = time.monotonic()
    answered = slack.send(reply)
    yield _step("answer", started, answered.error)
    yield _timed("delete", lambda: _delete(client, root[0], (answered.ts, posted.ts)))


def _delete(client: WebClient, channel: str, stamps: Iterable[str | None]) -> str | None:
    try:
        for ts in stamps:
            if ts is not None:
                client.chat_delete(channel=channel, ts=ts)
    except SlackApiError as exc:
        return classify(exc).error
    return None


def _look(slack: SlackChannel, parcel: Parcel) -> str | None:
    # History shows a message a little later than the channel does.
    for _ in range(5):
        found = slack.find(parcel)
        if found.kind is not FoundKind.ABSENT:
            break
        time.sleep(0.5)
    return None if found.kind is FoundKind.FOUND else found.error or str(found.kind)


def _timed(name: str, call: Callable[[], str | None]) -> Step:
    started = time.monotonic()
    return _step(name, started, call())


def _step(name: str, started: float, error: str | None) -> Step:
    problem = None if error is None else f"{error}: {_HINTS.get(error, 'Slack refused it')}"
    return Step(name=name, seconds=time.monotonic() - started, problem=problem)
