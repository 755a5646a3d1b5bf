"""Words for one person alone: the answer to a press of a button."""

from __future__ import annotations

import json
import urllib.request
from urllib.parse import urlsplit

import structlog

from alerts.block_kit import words
from alerts.channels.slack import is_loopback

log = structlog.get_logger(__name__)

_TIMEOUT = 5
_HOOKS = "hooks.slack.com"


def whisper(response_url: str, text: str, *, base_url: str) -> bool:
    """Send words to the person who pressed a button; return whether they went out.

    Only Slack's own address is called, or this machine where Slack is stood in for: the request
    names the address, and must not choose whom this server calls.
    """
    target, slack = urlsplit(response_url), urlsplit(base_url)
    real = target.scheme == "https" and target.hostname == _HOOKS
    stand_in = is_loopback(base_url) and target.netloc == slack.netloc
    if not (real or stand_in):
        return False
    body = json.dumps(
        {"response_type": "ephemeral", "replace_original": False, "text": words(text, 500)}
    )
    request = urllib.request.Request(  # noqa: S310  the address was checked above
        response_url,
        data=body.encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    handlers = [urllib.request.ProxyHandler({})] if stand_in else []
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT) as response:
            return bool(response.status == 200)
    except OSError as exc:
        log.warning("whisper_failed", error=type(exc).__name__)
        return False
