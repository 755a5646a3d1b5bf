"""Drills and trial messages over HTTP: they call people, so they need an operator."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Annotated

from litestar import Router, post
from litestar.exceptions import ValidationException
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct
from pydantic import TypeAdapter, ValidationError

from alerts.channels.trial import try_channel
from service.bootstrap import Service
from service.channels import channels_of
from service.drill.fault import parse_fault
from service.drill.run import DrillResult, Wish, drill
from service.web.context import WebRequest
from service.web.security import from_here, needs
from service.web.tokens import Identity, Role
from watchkeeper.channel_settings import Destination
from watchkeeper.errors import ConflictError

Words = Annotated[str, Meta(min_length=1, max_length=300)]


class NewDrill(Struct, forbid_unknown_fields=True):
    """What is wrong in the copy, as in ``nulls:COLUMN:30%``.

    A channel is told instead of whoever would be.
    """

    faults: Annotated[list[Words], Meta(min_length=1, max_length=10)]
    channel: Annotated[str, Meta(pattern=r"^[CGD][A-Z0-9]{2,20}$")] | None = None


class NewTrial(Struct, forbid_unknown_fields=True):
    """Where a trial message goes, as in ``slack:C0FLIGHTS`` or ``pagerduty:ops``."""

    destination: Words


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What became of a trial message; an error is a short word without secrets."""

    destination: str
    outcome: str
    error: str | None
    seconds: float


def drill_router(service: Service) -> Router:
    """Return the routes; one drill is made at a time in a process."""
    busy = threading.Lock()

    @post("/models/{name:str}/drill", status_code=200, sync_to_thread=True)
    def make_drill(
        request: WebRequest, name: FromPath[str], data: JSONBody[NewDrill]
    ) -> DrillResult:
        """Put faults into a copy, tell whoever would be told, and return how long it took."""
        faults = [parse_fault(text) for text in data.faults]
        if not busy.acquire(blocking=False):
            raise ConflictError("another drill is under way")
        try:
            wish = Wish(by=_actor(request), channel=data.channel)
            return drill(service, name, faults, wish, lambda _line: None)
        finally:
            busy.release()

    @post("/channels/test", status_code=200, sync_to_thread=True)
    def try_destination(data: JSONBody[NewTrial]) -> Trial:
        """Send one message that says it is a test."""
        transport = _transport(data.destination)
        channels = channels_of(service.settings)
        if transport not in channels:
            raise _wrong(f"{transport} is not configured")
        began = time.monotonic()
        outcome = try_channel(channels[transport], data.destination)
        return Trial(
            destination=data.destination,
            outcome=str(outcome.kind),
            error=outcome.error,
            seconds=round(time.monotonic() - began, 3),
        )

    return Router(
        path="/v1",
        route_handlers=[make_drill, try_destination],
        guards=[needs(Role.OPERATOR), from_here],
        security=[{"token": []}],
    )


def _transport(destination: str) -> str:
    try:
        TypeAdapter(Destination).validate_python(destination)
    except ValidationError as exc:
        raise _wrong(str(exc.errors()[0]["ctx"]["error"])) from exc
    return destination.partition(":")[0]


def _wrong(message: str) -> ValidationException:
    return ValidationException(message, extra=[{"key": "destination", "message": message}])


def _actor(request: WebRequest) -> str:
    identity: Identity = request.scope["state"]["identity"]
    return identity.name
