"""Buttons of a message: who pressed what, once, and what it did."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import structlog
from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from alerts import events, respond
from alerts.block_kit import clean
from alerts.channels.drill import DRILL
from alerts.channels.slack_signature import is_from_slack
from alerts.drills import Drills
from alerts.model import Incident, Verdict
from alerts.permission import Permission
from alerts.repository import Incidents
from alerts.rows import ClickRow
from watchkeeper.clock import Clock
from watchkeeper.database import write
from watchkeeper.errors import ConflictError, NotFoundError, WatchkeeperError

log = structlog.get_logger(__name__)

#: Larger bodies are refused unread.
MAX_BODY = 256 * 1024
_PREFIX = "incident."

#: Ask for a retrain of an incident's model: incident, actor, a key for this very press.
#: Returns what is to be said; raises WatchkeeperError where it is refused.
RequestRetrain = Callable[[Session, Incident, str, str], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Press:
    """One press of one button.

    Parameters
    ----------
    key
        The same for the same press, however often it is told.
    actor, user
        Name and ID of the person on Slack.
    value
        ``incident.revision``, with the choice after another dot where there is one.
    response_url
        Where words for the person alone may be sent.
    """

    key: str
    action: str
    value: str
    actor: str
    user: str = ""
    response_url: str = ""

    @property
    def incident_id(self) -> int:
        """The incident that it is about."""
        return int(self.value.split(".")[0])

    @property
    def choice(self) -> str:
        """What was chosen from a list."""
        return self.value.split(".")[2] if self.value.count(".") >= 2 else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to a request, and words for the person who pressed, if any are needed."""

    status: HTTPStatus
    words: str = ""
    response_url: str = ""


class Interactions:
    """Answers Slack's requests about buttons; anybody may call it.

    Parameters
    ----------
    secrets
        Signing secrets: the present one, and while it is being changed the one before.
    retrain
        How a retrain is asked for; None where there is none.
    wall
        The machine's time in seconds since 1970, for the age of a request.
    permission
        Who may press what; by default whoever reads the channel.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        secrets: Sequence[str],
        retrain: RequestRetrain | None,
        wall: Callable[[], float],
        permission: Permission | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._secrets = secrets
        self._retrain = retrain
        self._wall = wall
        self._permission = permission or Permission()

    def verified(self, body: bytes, headers: Mapping[str, str]) -> Answer | list[Press]:
        """Return the presses of a request, or the answer that refuses it."""
        if len(body) > MAX_BODY:
            return Answer(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if not is_from_slack(body, headers, secrets=self._secrets, now=self._wall()):
            return Answer(status=HTTPStatus.UNAUTHORIZED)
        return presses_in(body)

    def handle(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Answer one request: verify it, and do what was asked, each press once."""
        found = self.verified(body, headers)
        return found if isinstance(found, Answer) else self.perform(found)

    def perform(self, presses: Sequence[Press]) -> Answer:
        """Do what verified presses ask for."""
        for press in presses:
            words = self.press(press)
            if words:
                return Answer(status=HTTPStatus.OK, words=words, response_url=press.response_url)
        return Answer(status=HTTPStatus.OK)

    def press(self, press: Press) -> str:
        """Do what a button says and return words for the person alone; mostly there are none."""
        now = self._clock.now()
        if press.action == DRILL:
            with write(self._engine) as session:
                return Drills(session).acknowledge(press.incident_id, press.actor)
        try:
            return self._obey(press, now)
        except NotFoundError as exc:
            return f"Nothing was changed: {exc}."
        except WatchkeeperError as exc:
            log.warning("press_refused", action=press.action, reason=str(exc))
            with write(self._engine) as session:
                _is_first(session, press, press.incident_id, now, str(exc))
            return f"Nothing was changed: {exc}."

    def _obey(self, press: Press, now: datetime) -> str:
        with write(self._engine) as session:
            incident = Incidents(session).lock(press.incident_id)
            name, refusal = self._permission.judge(session, press.user, press.action)
            press = replace(press, actor=name or press.actor)
            if not _is_first(session, press, incident.id, now, refusal):
                return ""
            if refusal is None:
                return self._act(session, press, incident, now)
        log.warning("press_refused", action=press.action, user=press.user, reason=refusal)
        return f"You may not do this: {refusal}."

    def _act(self, session: Session, press: Press, incident: Incident, now: datetime) -> str:
        if press.action == "ack":
            respond.acknowledge(session, incident.id, press.actor, now=now)
        elif press.action == "snooze":
            until, condition = snooze_of(press.choice, now)
            respond.snooze(
                session, incident.id, press.actor, now=now, until=until, condition=condition
            )
        elif press.action in _VERDICTS:
            respond.judge(session, incident.id, press.actor, _VERDICTS[press.action], now=now)
            return "Thank you. It counts towards the precision of this rule."
        elif press.action == "retrain" and self._retrain is not None:
            return self._retrain(session, incident, press.actor, press.key)
        else:
            log.warning("unknown_action", action=clean(press.action, 80))
        return ""


_VERDICTS = {
    "useful": Verdict.USEFUL,
    "noise": Verdict.NOISE,
    "known": Verdict.KNOWN,
    "data_bug": Verdict.DATA_BUG,
}


def snooze_of(choice: str, now: datetime) -> tuple[datetime | None, str | None]:
    """Return the time and the condition that a choice of the list stands for.

    Raises
    ------
    ConflictError
        The list has no such choice.
    """
    times = {"1h": timedelta(hours=1), "1d": timedelta(days=1)}
    conditions = {
        "labels": events.NEXT_LABELS,
        "deploy": events.NEXT_DEPLOY,
        "worse": events.WORSE,
    }
    if choice in times:
        return now + times[choice], None
    if choice in conditions:
        return None, conditions[choice]
    raise ConflictError(f"no snooze {clean(choice, 40)!r}")


def presses_in(body: bytes) -> list[Press]:
    """Return the presses of buttons of ours in the body of a request; strange ones are left out."""
    try:
        form = parse_qs(body.decode("utf-8"), max_num_fields=20)
        payload = json.loads(form["payload"][0])
    except (ValueError, KeyError, RecursionError):
        return []
    return presses_of(payload)


def presses_of(payload: object) -> list[Press]:
    """Return the presses of buttons of ours in what Slack tells; strange ones are left out."""
    if not isinstance(payload, dict) or payload.get("type") != "block_actions":
        return []
    actions = payload.get("actions")
    found = [_press(payload, action) for action in actions] if isinstance(actions, list) else []
    return [press for press in found if press is not None]


def _press(payload: Mapping[str, Any], action: object) -> Press | None:
    if not isinstance(action, dict):
        return None
    user = _part(payload, "user")
    option = _part(action, "selected_option")
    name, value = str(action.get("action_id", "")), str(option.get("value") or action.get("value"))
    number = value.split(".", maxsplit=1)[0]
    ours = name.startswith(_PREFIX) or name == DRILL
    ours = ours and number.isascii() and number.isdigit() and len(number) < 10
    if not ours or not user.get("id"):
        return None
    place = (
        _part(payload, "team").get("id"),
        _part(payload, "container").get("channel_id"),
        _part(payload, "container").get("message_ts"),
        name,
        action.get("action_ts"),
        user["id"],
    )
    return Press(
        key=json.dumps([str(part) for part in place])[:500],
        action=name.removeprefix(_PREFIX),
        value=value,
        actor=clean(str(user.get("username") or user.get("name") or user["id"]), 80),
        user=str(user["id"]),
        response_url=str(payload.get("response_url") or ""),
    )


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _is_first(
    session: Session, press: Press, incident_id: int, now: datetime, refused: str | None
) -> bool:
    """Write a press down, obeyed or not; False when it was written down before."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    row = insert(ClickRow).values(
        key=press.key,
        incident_id=incident_id,
        actor=press.actor,
        user=clean(press.user, 40) or None,
        action=clean(press.action, 80),
        refused=refused,
        at=now,
    )
    written = session.scalars(row.on_conflict_do_nothing().returning(ClickRow.key))
    return written.first() is not None
