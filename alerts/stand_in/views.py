"""Forms: opened by the trigger of a press, shown to one person, and sent back once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts.block_kit import view_problems
from alerts.stand_in.workspace import RefusedError, Workspace

#: Seconds for which a press allows a form.
TRIGGER_LASTS = 3.0


@dataclass(kw_only=True, slots=True)
class Opened:
    """A form in front of a person."""

    user: str
    view: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)


class Views:
    """The forms of a workspace; safe to share between threads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._triggers: dict[str, tuple[str, float]] = {}
        self._opened: dict[str, Opened] = {}

    def trigger(self, user: str) -> str:
        """Return a trigger that allows for a moment to show ``user`` a form."""
        key = uuid.uuid4().hex
        with self._workspace.changed:
            self._triggers[key] = (user, time.monotonic() + TRIGGER_LASTS)
        return key

    def open(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Show a form, as ``views.open`` does.

        Raises
        ------
        RefusedError
            The trigger is unknown, used or too old, or the view is not one that Slack takes.
        """
        view = given.get("view")
        wrong = view_problems(view) if isinstance(view, Mapping) else ["expected a view"]
        with self._workspace.changed:
            user, until = self._triggers.pop(str(given.get("trigger_id")), ("", 0.0))
            if not user:
                raise RefusedError("invalid_trigger_id")
            if time.monotonic() > until:
                raise RefusedError("expired_trigger_id")
            if wrong or not isinstance(view, Mapping):
                raise RefusedError("invalid_arguments", "; ".join(wrong))
            key = f"V{len(self._opened):08d}"
            self._opened[key] = Opened(user=user, view={**view, "id": key})
            self._tell()
            return {"view": self._opened[key].view}

    def shown(self) -> list[dict[str, Any]]:
        """Return the forms that are open, with whose they are and what is wrong with them."""
        with self._workspace.changed:
            return [
                {"user": each.user, "view": each.view, "errors": dict(each.errors)}
                for each in self._opened.values()
            ]

    def submission(self, key: str, values: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        """Return what Slack tells when a form is sent with these options chosen.

        Parameters
        ----------
        values
            By block and action, the value of the chosen option.
        """
        opened = self._of(key)
        chosen = {
            block: {
                action: {"type": "radio_buttons", "selected_option": {"value": value}}
                for action, value in actions.items()
            }
            for block, actions in values.items()
        }
        return {
            "type": "view_submission",
            "team": {"id": "T0STANDIN"},
            "user": {
                "id": opened.user,
                "username": self._workspace.users.get(opened.user, opened.user),
            },
            "view": {**opened.view, "state": {"values": chosen}},
        }

    def answered(self, key: str, answer: Mapping[str, Any]) -> dict[str, str]:
        """Close a form, or show what the answer says is wrong with it; return that."""
        opened = self._of(key)
        errors = answer.get("errors") if answer.get("response_action") == "errors" else None
        with self._workspace.changed:
            if isinstance(errors, Mapping):
                opened.errors = {str(block): str(text) for block, text in errors.items()}
            else:
                self._opened.pop(key, None)
            self._tell()
            return opened.errors if isinstance(errors, Mapping) else {}

    def close(self, key: str) -> None:
        """Take a form away, as its person does."""
        with self._workspace.changed:
            self._opened.pop(key, None)
            self._tell()

    def _of(self, key: str) -> Opened:
        with self._workspace.changed:
            if key not in self._opened:
                raise RefusedError("view_not_found", key)
            return self._opened[key]

    def _tell(self) -> None:
        self._workspace.revision += 1
        self._workspace.changed.notify_all()
