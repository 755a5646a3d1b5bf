"""The pages: parameters in, view model from the database, HTML out."""

from __future__ import annotations

from datetime import datetime

from litestar import MediaType, Router, get
from litestar.params import FromPath, FromQuery

from reports import pages
from reports.model import Filter
from service.web.context import WebRequest, here_of, web_of
from service.web.parameters import Outcome, Page, Text, Wanted
from service.web.security import needs
from service.web.tokens import Role


@get("/", media_type=MediaType.HTML, sync_to_thread=True)
def models_page(request: WebRequest, q: Text = "", page: Page = 1) -> str:
    """Show all models, those in trouble first."""
    with web_of(request).reader() as reader:
        view = reader.models(search=q.strip(), page=page)
    return pages.models(view, here_of(request, refresh=True))


@get("/models/{name:str}", media_type=MediaType.HTML, sync_to_thread=True)
def model_page(
    request: WebRequest,
    name: FromPath[str],
    feature: Text = "",
    window: FromQuery[datetime | None] = None,
    page: Page = 1,
    windows: Page = 1,
) -> str:
    """Show one model: performance, drift, features, windows, versions, incidents, runs."""
    with web_of(request).reader() as reader:
        view = reader.model(
            name, feature=feature.strip(), window=window, page=page, windows_page=windows
        )
    return pages.model(view, here_of(request, refresh=True))


@get("/incidents", media_type=MediaType.HTML, sync_to_thread=True)
def incidents_page(
    request: WebRequest,
    wanted: Wanted = Filter.OPEN,
    model: Text = "",
    family: Text = "",
    page: Page = 1,
) -> str:
    """Show incidents, newest first."""
    with web_of(request).reader() as reader:
        view = reader.incidents(state=wanted, model=model.strip(), family=family, page=page)
    return pages.incidents(view, here_of(request, refresh=True))


@get("/incidents/{key:int}", media_type=MediaType.HTML, sync_to_thread=True)
def incident_page(request: WebRequest, key: FromPath[int]) -> str:
    """Show one incident: what happened, the evidence, and who was told."""
    with web_of(request).reader() as reader:
        view = reader.incident(key)
    return pages.incident(view, here_of(request, refresh=True))


@get("/runs", media_type=MediaType.HTML, sync_to_thread=True)
def runs_page(request: WebRequest, model: Text = "", outcome: Outcome = "", page: Page = 1) -> str:
    """Show retrain runs and refusals, newest first."""
    with web_of(request).reader() as reader:
        view = reader.runs(model=model.strip(), state=outcome, page=page)
    return pages.runs(view, here_of(request, refresh=True))


@get("/runs/{key:str}", media_type=MediaType.HTML, sync_to_thread=True)
def run_page(request: WebRequest, key: FromPath[str]) -> str:
    """Show one retrain run, or one refusal."""
    with web_of(request).reader() as reader:
        view = reader.run(key)
    return pages.run(view, here_of(request, refresh=True))


router = Router(
    path="/",
    route_handlers=[
        models_page,
        model_page,
        incidents_page,
        incident_page,
        runs_page,
        run_page,
    ],
    guards=[needs(Role.VIEWER)],
    include_in_schema=False,
)
