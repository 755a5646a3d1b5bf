"""What was pressed: the presses of buttons, and the answers to forms, in what Slack tells; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from alerts.block_kit import clean
from alerts.channels.drill import DRILL
from alerts.forms import CALLBACK, chosen

_PREFIX = "incident."


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
    trigger
        Allows for a few seconds to show the person a form.
    form
        Whether it is the answer to a form, which can show what is wrong with it.
    """

    key: str
    action: str
    value: str
    actor: str
    user: str = ""
    response_url: str = ""
    trigger: str = ""
    form: bool = False

    @property
    def incident_id(self) -> int:
        """The incident that it is about."""
        return int(self.value.split(".")[0])

    @property
    def choice(self) -> str:
        """What was chosen from a list."""
        return self.value.split(".")[2] if self.value.count(".") >= 2 else ""


def presses_in(body: bytes) -> list[Press]:
    """Return the presses of ours in the body of a request; strange ones are left out."""
    try:
        form = parse_qs(body.decode("utf-8"), max_num_fields=20)
        payload = json.loads(form["payload"][0])
    except (ValueError, KeyError, RecursionError):
        return []
    return presses_of(payload)


def presses_of(payload: object) -> list[Press]:
    """Return the presses of ours in what Slack tells; strange ones are left out."""
    if not isinstance(payload, dict):
        return []
    if payload.get("type") == "view_submission":
        submitted = _submitted(payload)
        return [] if submitted is None else [submitted]
    if payload.get("type") != "block_actions":
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
    ours = name.startswith(_PREFIX) or name == DRILL
    if not (ours and _names_incident(value) and user.get("id")):
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
        actor=_name(user),
        user=str(user["id"]),
        response_url=str(payload.get("response_url") or ""),
        trigger=str(payload.get("trigger_id") or "")[:200],
    )


def _submitted(payload: Mapping[str, Any]) -> Press | None:
    user, view = _part(payload, "user"), _part(payload, "view")
    value = str(view.get("private_metadata") or "")
    ours = view.get("callback_id") == CALLBACK and _names_incident(value)
    if not (ours and user.get("id") and view.get("id")):
        return None
    place = (_part(payload, "team").get("id"), "view", view["id"], user["id"])
    return Press(
        key=json.dumps([str(part) for part in place])[:500],
        action=chosen(view),
        value=value,
        actor=_name(user),
        user=str(user["id"]),
        form=True,
    )


def _names_incident(value: str) -> bool:
    number = value.split(".", maxsplit=1)[0]
    return number.isascii() and number.isdigit() and len(number) < 10


def _name(user: Mapping[str, Any]) -> str:
    return clean(str(user.get("username") or user.get("name") or user["id"]), 80)


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}
