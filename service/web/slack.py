"""``POST /slack/interactions``: the buttons of the messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response, post
from litestar.types import ControllerRouterHandler

from alerts.interactions import MAX_BODY, Answer, Interactions
from alerts.presses import Press

log = structlog.get_logger(__name__)

#: Seconds; a click is answered in less than half a second, and what is slower finished behind it.
#: Slack shows the person an error after 3.
_PATIENCE = 0.4
_FORM_PATIENCE = 2.5

#: ``(response_url, words)``: words for the person who pressed.
Whisper = Callable[[str, str], object]


def interactions_handler(
    interactions: Interactions, whisper: Whisper, *, patience: float = _PATIENCE
) -> ControllerRouterHandler:
    """Return the handler; it is open to anybody, and only a signature lets a request in.

    Parameters
    ----------
    patience
        Seconds after which a click is answered, whether what it asks for is done or not.
    """
    pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="slack")

    def work(presses: Sequence[Press]) -> Answer:
        answer = interactions.perform(presses)
        if answer.words and answer.response_url:
            # On the pool again: the answer to Slack does not wait for the words to the person.
            pool.submit(whisper, answer.response_url, answer.words)
        return answer

    @post(
        "/slack/interactions",
        status_code=HTTPStatus.OK,
        request_max_body_size=MAX_BODY,
        include_in_schema=False,
    )
    async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
        body = await request.body()
        headers = dict(request.headers)
        loop = asyncio.get_running_loop()
        verdict = await loop.run_in_executor(pool, interactions.verified, body, headers)
        if isinstance(verdict, Answer):
            return Response(None, status_code=verdict.status)
        working = loop.run_in_executor(pool, work, verdict)
        # Only the answer to a form can say what is wrong with it.
        forms = any(press.form for press in verdict)
        done, _ = await asyncio.wait({working}, timeout=_FORM_PATIENCE if forms else patience)
        if not done:
            working.add_done_callback(_report)
            return Response(None, status_code=HTTPStatus.OK)
        answer = working.result()
        return Response(answer.body, status_code=answer.status)

    return handle


def _report(working: asyncio.Future[Answer]) -> None:
    if not working.cancelled() and working.exception() is not None:
        log.error("press_failed", error=str(working.exception()))
