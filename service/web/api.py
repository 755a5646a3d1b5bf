"""The read API: what the pages show, for programs."""

from __future__ import annotations

from datetime import datetime

from litestar import Router, get
from litestar.params import FromPath, FromQuery

from reports.model import (
    Filter,
    IncidentsView,
    IncidentView,
    ModelsView,
    ModelView,
    RunsView,
    RunView,
    WindowsView,
)
from service.web.context import WebRequest, web_of
from service.web.parameters import Outcome, Page, Size, Text, Wanted
from service.web.security import needs
from service.web.tokens import Role


@get("/models", sync_to_thread=True)
def list_models(request: WebRequest, q: Text = "", page: Page = 1, size: Size = 50) -> ModelsView:
    """List the models with their health, those in trouble first."""
    with web_of(request).reader() as reader:
        return reader.models(search=q.strip(), page=page, size=size)


@get("/models/{name:str}", sync_to_thread=True)
def show_model(
    request: WebRequest,
    name: FromPath[str],
    feature: Text = "",
    window: FromQuery[datetime | None] = None,
    page: Page = 1,
) -> ModelView:
    """Show one model: performance over time, drift, features, versions, incidents, runs."""
    with web_of(request).reader() as reader:
        return reader.model(name, feature=feature.strip(), window=window, page=page)


@get("/models/{name:str}/windows", sync_to_thread=True)
def list_windows(
    request: WebRequest, name: FromPath[str], page: Page = 1, size: Size = 50
) -> WindowsView:
    """List the evaluated windows of a model, newest first."""
    with web_of(request).reader() as reader:
        return reader.windows(name, page=page, size=size)


@get("/incidents", sync_to_thread=True)
def list_incidents(
    request: WebRequest,
    wanted: Wanted = Filter.OPEN,
    model: Text = "",
    family: Text = "",
    page: Page = 1,
    size: Size = 50,
) -> IncidentsView:
    """List incidents, newest first."""
    with web_of(request).reader() as reader:
        return reader.incidents(state=wanted, model=model, family=family, page=page, size=size)


@get("/incidents/{key:int}", sync_to_thread=True)
def show_incident(request: WebRequest, key: FromPath[int]) -> IncidentView:
    """Show one incident with its history, evidence and messages."""
    with web_of(request).reader() as reader:
        return reader.incident(key)


@get("/runs", sync_to_thread=True)
def list_runs(
    request: WebRequest, model: Text = "", outcome: Outcome = "", page: Page = 1, size: Size = 50
) -> RunsView:
    """List retrain runs and refusals, newest first."""
    with web_of(request).reader() as reader:
        return reader.runs(model=model, state=outcome, page=page, size=size)


@get("/runs/{key:str}", sync_to_thread=True)
def show_run(request: WebRequest, key: FromPath[str]) -> RunView:
    """Show one retrain run, or one refusal (``held-7``)."""
    with web_of(request).reader() as reader:
        return reader.run(key)


router = Router(
    path="/v1",
    route_handlers=[
        list_models,
        show_model,
        list_windows,
        list_incidents,
        show_incident,
        list_runs,
        show_run,
    ],
    guards=[needs(Role.VIEWER)],
    security=[{"token": []}],
)
