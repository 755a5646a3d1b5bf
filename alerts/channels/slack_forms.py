"""Forms on Slack: shown to the person who has just pressed a button."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError, SlackClientError

from alerts.channels.slack import make_client

log = structlog.get_logger(__name__)

#: Slack takes a form for three seconds after the press.
_TIMEOUT = 3


def form_shower(token: str, *, base_url: str) -> Callable[[str, Mapping[str, Any]], bool]:
    """Return a function that shows a form and tells whether it is shown; it never raises."""
    client = make_client(token, base_url=base_url, timeout=_TIMEOUT)

    def show(trigger: str, view: Mapping[str, Any]) -> bool:
        try:
            return bool(client.views_open(trigger_id=trigger, view=dict(view)).get("ok"))
        except SlackApiError as exc:
            log.warning("form_refused", error=str(exc.response.get("error")))
        except (SlackClientError, OSError, http.client.HTTPException, ValueError) as exc:
            log.warning("form_not_shown", error=type(exc).__name__)
        return False

    return show
