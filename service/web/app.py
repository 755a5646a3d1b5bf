"""The web application: pages, read API, metrics and the description of the API."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import prometheus_client
from litestar import Litestar, Response, get
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException, NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from prometheus_client import CollectorRegistry

from reports.pages import ASSETS
from service.web import actions, api, desk, session, views
from service.web.context import Web
from service.web.problems import on_http_error, on_refusal, on_surprise
from service.web.security import add_headers, needs
from service.web.tokens import Role
from watchkeeper.errors import WatchkeeperError

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOREVER = "public, max-age=31536000, immutable"
_MOST_BODY = 64 * 1024


def create_app(
    web: Web,
    *,
    registry: CollectorRegistry,
    more: tuple[ControllerRouterHandler, ...] = (),
) -> Litestar:
    """Assemble the application.

    Parameters
    ----------
    web
        The parts of the service that the pages need.
    registry
        What ``/metrics`` shows.
    more
        Handlers of other rooms, such as the one for Slack's buttons.
    """
    return Litestar(
        route_handlers=[
            views.router,
            actions.router,
            api.router,
            desk.router,
            session.router,
            _asset,
            _metrics(registry),
            *more,
        ],
        state=State({"web": web}),
        exception_handlers={
            WatchkeeperError: on_refusal,
            HTTPException: on_http_error,
            Exception: on_surprise,
        },
        before_send=[add_headers],
        compression_config=CompressionConfig(backend="gzip", minimum_size=1000),
        openapi_config=_description(web.version),
        request_max_body_size=_MOST_BODY,
        logging_config=None,
        debug=False,
    )


def public_host(url: str | None) -> str | None:
    """Return host and port of the address that people use.

    Examples
    --------
    >>> public_host("https://watch.example:8443/")
    'watch.example:8443'
    """
    return urlsplit(url).netloc if url else None


def _description(version: str) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="watchkeeper",
        version=version or "0",
        path="/schema",
        use_handler_docstrings=True,
        # The plug-ins that draw pages load their scripts from other hosts.
        render_plugins=[JsonRenderPlugin(path="/"), YamlRenderPlugin(path="/openapi.yaml")],
        components=Components(
            security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}
        ),
    )


@get("/assets/{name:str}", sync_to_thread=True, include_in_schema=False)
def _asset(name: FromPath[str]) -> Response[bytes]:
    """Return a style, script or picture of the pages."""
    # Looked up, never joined: a name from outside is no path.
    path = next((path for path in ASSETS.iterdir() if path.name == name), None)
    if path is None or path.suffix not in _TYPES:
        raise NotFoundException
    return _file(path)


def _file(path: Path) -> Response[bytes]:
    return Response(
        path.read_bytes(),
        media_type=_TYPES[path.suffix],
        headers={"Cache-Control": _FOREVER},
        status_code=HTTPStatus.OK,
    )


def _metrics(registry: CollectorRegistry) -> ControllerRouterHandler:
    @get("/metrics", sync_to_thread=True, guards=[needs(Role.VIEWER)], include_in_schema=False)
    def metrics() -> Response[bytes]:
        return Response(
            prometheus_client.generate_latest(registry),
            media_type=prometheus_client.CONTENT_TYPE_LATEST,
        )

    return metrics
