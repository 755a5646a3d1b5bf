"""What a person may do on the pages: take care of an incident, go back to an earlier version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from litestar import Router, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotFoundException
from litestar.params import Body, FromPath
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER

from service.web.context import WebRequest, web_of
from service.web.security import from_here, needs
from service.web.tokens import Identity, Role


@dataclass(frozen=True, kw_only=True)
class Target:
    """The version to go back to."""

    version: int


@post(
    "/incidents/{key:int}/acknowledge",
    sync_to_thread=True,
    guards=[needs(Role.RESPONDER), from_here],
)
def acknowledge(request: WebRequest, key: FromPath[int]) -> Redirect:
    """Tell the others that somebody is on it."""
    action = web_of(request).acknowledge
    if action is None:
        raise NotFoundException
    action(key, _actor(request))
    return Redirect(f"/incidents/{key}", status_code=HTTP_303_SEE_OTHER)


@post(
    "/models/{name:str}/rollback",
    sync_to_thread=True,
    guards=[needs(Role.OPERATOR), from_here],
)
def roll_back(
    request: WebRequest,
    name: FromPath[str],
    data: Annotated[Target, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Redirect:
    """Serve an earlier version again."""
    action = web_of(request).roll_back
    if action is None:
        raise NotFoundException
    action(name, data.version, _actor(request))
    return Redirect(f"/models/{quote(name, safe='')}#versions", status_code=HTTP_303_SEE_OTHER)


def _actor(request: WebRequest) -> str:
    identity: Identity = request.scope["state"]["identity"]
    return identity.name


router = Router(path="/", route_handlers=[acknowledge, roll_back], include_in_schema=False)
