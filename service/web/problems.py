"""Errors at the boundary: problem details for programs, a friendly page for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import structlog
from litestar import Response
from litestar.enums import MediaType
from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER

from reports import pages
from service.web.context import WebRequest, here_of
from service.web.parameters import CALLED
from watchkeeper.errors import (
    CapacityError,
    ConflictError,
    DatabaseError,
    DeliveryError,
    InputError,
    NotFoundError,
    RecordError,
    WatchkeeperError,
)

PROBLEM = "application/problem+json"

_STATUS: tuple[tuple[type[WatchkeeperError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (CapacityError, HTTPStatus.SERVICE_UNAVAILABLE),
    (DatabaseError, HTTPStatus.SERVICE_UNAVAILABLE),
    (DeliveryError, HTTPStatus.BAD_GATEWAY),
)
_TITLES = {
    HTTPStatus.NOT_FOUND: "Nothing is here",
    HTTPStatus.FORBIDDEN: "This is not allowed",
    HTTPStatus.UNAUTHORIZED: "Please sign in",
    HTTPStatus.CONFLICT: "This cannot be done now",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available at the moment",
    HTTPStatus.BAD_GATEWAY: "Nobody could be told",
}
_UNEXPECTED = "The error has been logged; trying again later may help."
_NO_PAGE = "No page lives at this address."

_log = structlog.get_logger(__name__)


def on_refusal(request: WebRequest, error: WatchkeeperError) -> Response[Any]:
    """Answer an error that was raised on purpose."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), None)
    if status is None:
        return on_surprise(request, error)
    extra: dict[str, Any] = {}
    if isinstance(error, RecordError):
        extra = {"record": error.record, "field": error.field}
    return _answer(request, status, str(error), extra)


def on_http_error(request: WebRequest, error: HTTPException) -> Response[Any]:
    """Answer an error of the framework: no such page, wrong parameter, not allowed."""
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.UNAUTHORIZED:
        return _ask_to_sign_in(request, error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return on_surprise(request, error)
    detail = _NO_PAGE if status is HTTPStatus.NOT_FOUND else error.detail
    extra: dict[str, Any] = {}
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        wrong = [_wrong(item) for item in error.extra if isinstance(item, dict)]
        extra = {"errors": wrong}
        detail = "; ".join(f"{each['key']}: {each['message']}" for each in wrong) or detail
    answer = _answer(request, status, detail, extra)
    answer.headers.update(error.headers or {})
    return answer


def on_surprise(request: WebRequest, error: Exception) -> Response[Any]:
    """Answer an error that nobody foresaw; the log has it, the reader does not."""
    _log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, _UNEXPECTED, {})


def _ask_to_sign_in(request: WebRequest, error: HTTPException) -> Response[Any]:
    if _wants_page(request) and request.method == "GET" and "hx-request" not in request.headers:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return Redirect(f"/login?next={quote(here, safe='')}", status_code=HTTP_303_SEE_OTHER)
    answer = _answer(request, HTTPStatus.UNAUTHORIZED, error.detail, {})
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _answer(
    request: WebRequest, status: HTTPStatus, detail: str, extra: dict[str, Any]
) -> Response[Any]:
    title = _TITLES.get(status, status.phrase)
    if _wants_page(request):
        page = pages.error(here_of(request), status=status, title=title, detail=detail)
        return Response(page, status_code=status, media_type=MediaType.HTML)
    problem = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    return Response({**problem, **extra}, status_code=status, media_type=PROBLEM)


def _wrong(item: dict[str, Any]) -> dict[str, str]:
    name = str(item.get("key", ""))
    return {"key": CALLED.get(name, name), "message": str(item.get("message", ""))}


def _wants_page(request: WebRequest) -> bool:
    if request.url.path.startswith("/v1/"):
        return False
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted or "json" not in accepted
