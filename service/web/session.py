"""Signing in with a token, and out again; the token then travels in a cookie of its own."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from litestar import MediaType, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER

from reports import pages
from service.web.context import COOKIE, WebRequest, here_of, identify, web_of
from service.web.parameters import Follow
from service.web.security import from_here

_MONTH = 30 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """The form of the login page."""

    token: str
    next: str = "/"


@get("/login", media_type=MediaType.HTML, sync_to_thread=True)
def login_page(request: WebRequest, follow: Follow = "/") -> Response[str]:
    """Ask for a token.

    A strict cookie is not sent when a link on another site led here; a page that asks again from
    here is answered with it.
    """
    identity = identify(request)
    if identity is not None and identity.token:
        return Redirect(inside(follow), status_code=HTTP_303_SEE_OTHER)
    if request.headers.get("sec-fetch-site") == "cross-site":
        return Response("", headers={"Refresh": "0"}, media_type=MediaType.HTML)
    return Response(pages.login(here_of(request), follow=inside(follow)))


@post("/login", media_type=MediaType.HTML, sync_to_thread=True, guards=[from_here])
def login(
    request: WebRequest,
    data: Annotated[SignIn, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Response[str]:
    """Take a token and keep it in a cookie that no script reads and no other site sends."""
    web = web_of(request)
    token = data.token.strip()
    if web.authorise(token) is None:
        page = pages.login(
            here_of(request),
            follow=inside(data.next),
            problem="This token is not known, or was revoked.",
        )
        return Response(page, status_code=HTTPStatus.UNAUTHORIZED, media_type=MediaType.HTML)
    cookie = Cookie(
        key=COOKIE,
        value=token,
        httponly=True,
        samesite="strict",
        secure=web.secure or request.url.scheme == "https",
        max_age=_MONTH,
    )
    return Redirect(inside(data.next), status_code=HTTP_303_SEE_OTHER, cookies=[cookie])


@post("/logout", sync_to_thread=False, guards=[from_here])
def logout() -> Response[str]:
    """Forget the cookie."""
    answer: Response[str] = Redirect("/", status_code=HTTP_303_SEE_OTHER)
    answer.delete_cookie(COOKIE)
    return answer


def inside(address: str) -> str:
    r"""Return an address of these pages; anything else becomes the start page.

    Examples
    --------
    >>> inside("/incidents/7?x=1"), inside("//elsewhere.example"), inside("/\\elsewhere.example")
    ('/incidents/7?x=1', '/', '/')
    """
    plain = address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and address[1:2] != "/" else "/"


router = Router(path="/", route_handlers=[login_page, login, logout], include_in_schema=False)
