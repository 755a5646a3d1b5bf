"""Buttons of a message and the form behind one: who pressed what, once, and what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from alerts import events, respond
from alerts.block_kit import clean
from alerts.channels.drill import DRILL
from alerts.channels.slack_signature import is_from_slack
from alerts.desk import Desk
from alerts.drills import Drills
from alerts.forms import ASKS, FIELD, REASONS, not_useful
from alerts.model import Incident, Verdict
from alerts.permission import Permission
from alerts.presses import Press, presses_in
from alerts.repository import Incidents
from alerts.rows import ClickRow
from watchkeeper.clock import Clock
from watchkeeper.database import read, write
from watchkeeper.errors import ConflictError, NotFoundError, WatchkeeperError

log = structlog.get_logger(__name__)

#: Larger bodies are refused unread.
MAX_BODY = 256 * 1024

#: Ask for a retrain of an incident's model: incident, actor, a key for this very press.
#: Returns what is to be said; raises WatchkeeperError where it is refused.
RequestRetrain = Callable[[Session, Incident, str, str], str]
#: Show a form to the person whose press gave this trigger; returns whether it is shown.
ShowForm = Callable[[str, Mapping[str, Any]], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to a request, and words for the person who pressed, if any are needed.

    Parameters
    ----------
    body
        What a form that was sent is told; None closes it.
    """

    status: HTTPStatus
    words: str = ""
    response_url: str = ""
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Heard:
    """What becomes of a press."""

    words: str = ""
    refused: bool = False


class Interactions:
    """Answers Slack's requests about buttons; anybody may call it.

    Parameters
    ----------
    secrets
        Signing secrets: the present one, and while it is being changed the one before.
    retrain
        How a retrain is asked for; None where there is none.
    show_form
        How a form is shown; None where none can be, and the button says it all.
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
        show_form: ShowForm | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._secrets = secrets
        self._retrain = retrain
        self._wall = wall
        self._permission = permission or Permission()
        self._show_form = show_form

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
            heard = self._press(press)
            if press.form and heard.refused:
                return Answer(status=HTTPStatus.OK, body=_wrong(heard.words))
            if heard.words and not press.form:
                return Answer(
                    status=HTTPStatus.OK, words=heard.words, response_url=press.response_url
                )
        return Answer(status=HTTPStatus.OK)

    def _press(self, press: Press) -> _Heard:
        now = self._clock.now()
        if press.action == DRILL:
            with write(self._engine) as session:
                return _Heard(words=Drills(session).acknowledge(press.incident_id, press.actor))
        try:
            if press.action == ASKS and press.trigger and self._show_form is not None:
                return self._ask(press, self._show_form)
            return self._obey(press, now)
        except NotFoundError as exc:
            return _Heard(words=f"Nothing was changed: {exc}.", refused=True)
        except WatchkeeperError as exc:
            log.warning("press_refused", action=press.action, reason=str(exc))
            with write(self._engine) as session:
                _is_first(session, press, press.incident_id, now, str(exc))
            return _Heard(words=f"Nothing was changed: {exc}.", refused=True)

    def _ask(self, press: Press, show_form: ShowForm) -> _Heard:
        """Show the form; what is chosen in it comes as a press of its own."""
        with read(self._engine) as session:
            incident = Incidents(session).get(press.incident_id)
            if incident is None:
                raise NotFoundError("incident", str(press.incident_id))
            _, refusal = self._permission.judge(session, press.user, press.action)
        if refusal is not None:
            log.warning("press_refused", action=press.action, user=press.user, reason=refusal)
            return _Heard(words=f"You may not do this: {refusal}.", refused=True)
        if not show_form(press.trigger, not_useful(incident, press.value)):
            return _Heard(words="The form could not be shown. Please press again.", refused=True)
        return _Heard()

    def _obey(self, press: Press, now: datetime) -> _Heard:
        if press.form and press.action not in REASONS:
            return _Heard(words="Choose one of these.", refused=True)
        with write(self._engine) as session:
            incident = Incidents(session).lock(press.incident_id)
            name, refusal = self._permission.judge(session, press.user, press.action)
            press = replace(press, actor=name or press.actor)
            if not _is_first(session, press, incident.id, now, refusal):
                return _Heard()
            if refusal is None:
                return _Heard(words=self._act(session, press, incident, now))
        log.warning("press_refused", action=press.action, user=press.user, reason=refusal)
        return _Heard(words=f"You may not do this: {refusal}.", refused=True)

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
        elif press.action in REASONS:
            text = f"{press.actor} says that this is not theirs: somebody else should be told."
            Desk(session).handle(incident, events.Noted(at=now, actor=press.actor, text=text))
        elif press.action == "retrain" and self._retrain is not None:
            return self._retrain(session, incident, press.actor, press.key)
        else:
            log.warning("unknown_action", action=clean(press.action, 80))
        return ""


_VERDICTS = {
    "useful": Verdict.USEFUL,
    **{name: reason.verdict for name, reason in REASONS.items() if reason.verdict is not None},
}


def _wrong(words: str) -> dict[str, Any]:
    """Return what a form shows beside its question."""
    return {"response_action": "errors", "errors": {FIELD: clean(words, 300)}}


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
