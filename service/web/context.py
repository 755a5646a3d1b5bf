"""What every handler is given: the service's parts, who is asking, and where a page stands."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from sqlalchemy import Engine

from reports.pages import Here
from reports.query import Reader
from service.web.tokens import Authorise, Identity, Role
from watchkeeper.clock import Clock
from watchkeeper.database import read
from watchkeeper.model_settings import ModelSettings

COOKIE = "watchkeeper"
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

Connection = ASGIConnection[Any, Any, Any, Any]
WebRequest = Request[Any, Any, Any]
#: ``(incident_id, actor)``: take care of an incident.
Acknowledge = Callable[[int, str], None]
#: ``(model, version, actor)``: serve an earlier version again.
RollBack = Callable[[str, int, str], None]


@dataclass(frozen=True, kw_only=True)
class Web:
    """The parts of the service that the pages need.

    Parameters
    ----------
    models
        The settings of the models that are watched now, by name.
    local_viewer
        Let a browser on this machine look without a token.
    acknowledge, roll_back
        The actions; None takes the button away.
    refresh
        Seconds between refreshes of a page; None stands still.
    secure
        Whether people reach the pages over HTTPS.
    """

    engine: Engine
    clock: Clock
    models: Callable[[], Mapping[str, ModelSettings]]
    authorise: Authorise
    local_viewer: bool = False
    acknowledge: Acknowledge | None = None
    roll_back: RollBack | None = None
    refresh: int | None = 10
    secure: bool = False
    public_host: str | None = None
    version: str = ""

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Open one consistent view of everything that the pages show."""
        with read(self.engine) as session:
            yield Reader(session, self.models(), now=self.clock.now())


def web_of(connection: Connection) -> Web:
    """Return the parts of the service behind a request."""
    web: Web = connection.app.state.web
    return web


def identify(connection: Connection) -> Identity | None:
    """Return who is asking: by bearer token, by cookie, or as a reader on this very machine."""
    web = web_of(connection)
    token = bearer(connection) or connection.cookies.get(COOKIE)
    if token:
        return web.authorise(token)
    if web.local_viewer and _is_local(connection):
        return Identity(name="this machine", role=Role.VIEWER, token=False)
    return None


def bearer(connection: Connection) -> str | None:
    """Return the bearer token of a request; None when it has none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def here_of(connection: Connection, *, refresh: bool = False) -> Here:
    """Return where and for whom a page is shown."""
    web = web_of(connection)
    identity: Identity | None = connection.scope["state"].get("identity")

    def may(action: object, role: Role) -> bool:
        return action is not None and identity is not None and identity.role.covers(role)

    return Here(
        path=connection.scope["path"],
        params=dict(connection.query_params),
        user=identity.name if identity and identity.token else None,
        signed_in=identity is not None and identity.token,
        can_sign_in=identity is None or not identity.token,
        refresh=web.refresh if refresh else None,
        may_acknowledge=may(web.acknowledge, Role.RESPONDER),
        may_roll_back=may(web.roll_back, Role.OPERATOR),
        version=web.version,
    )


def host_of(connection: Connection) -> str:
    """Return the host, without port, that the client believes to speak to."""
    try:
        return urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _is_local(connection: Connection) -> bool:
    """Whether the request was made on this machine, to this machine, and by nobody in between.

    The name matters: a page from elsewhere may have its own name point to this machine. A proxy
    on this machine speaks for others, and says so.
    """
    client = connection.client
    if client is None or any(name in connection.headers for name in _FORWARDED):
        return False
    try:
        near = ipaddress.ip_address(client.host).is_loopback
    except ValueError:
        near = False
    return near and host_of(connection) in _LOCAL_NAMES
