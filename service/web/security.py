"""Who may do what, from where a form may be sent, and the headers that every answer bears."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Message, Scope

from service.web.context import Connection, bearer, identify, web_of
from service.web.tokens import Role

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_KEEP_PRIVATE = "private, no-cache"

Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]


def needs(role: Role) -> Guard:
    """Return the guard that lets nobody below ``role`` pass."""

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        identity = identify(connection)
        connection.scope["state"]["identity"] = identity
        if identity is None:
            raise NotAuthorizedException("this needs an access token")
        if not identity.role.covers(role):
            raise PermissionDeniedException(f"this needs the role {role}, yours is {identity.role}")

    return guard


async def from_here(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Refuse a form that was sent from another site; a program with a bearer token has no site.

    Raises
    ------
    PermissionDeniedException
        The request comes from elsewhere, or does not say where it comes from.
    """
    if bearer(connection) is not None:
        return
    origin = connection.headers.get("origin")
    if origin is None or origin == "null":
        same = connection.headers.get("sec-fetch-site") == "same-origin"
    else:
        place = urlsplit(origin).netloc
        same = place in {connection.headers.get("host"), web_of(connection).public_host}
    if not same:
        raise PermissionDeniedException("this form was not sent from these pages")


async def add_headers(message: Message, scope: Scope) -> None:
    """Add the headers that every answer bears, those of errors too."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if scope["path"].startswith("/assets/"):
        return
    headers.setdefault("Cache-Control", _KEEP_PRIVATE)
    headers.setdefault("Vary", "Cookie, Authorization")
