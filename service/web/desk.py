"""What programs may do about incidents and silences; by the roles of their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from litestar import Router, delete, get, post
from litestar.exceptions import ValidationException
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from alerts import events, respond
from alerts.model import Verdict
from alerts.silences import Silences
from alerts.silencing import Silence
from monitor.model import Family
from reports.model import IncidentView
from service.web.context import WebRequest, web_of
from service.web.security import from_here, needs
from service.web.tokens import Identity, Role
from watchkeeper.database import read, write
from watchkeeper.window import parse_duration

Words = Annotated[str, Meta(min_length=1, max_length=500)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
_CONDITIONS = {
    "labels": events.NEXT_LABELS,
    "deploy": events.NEXT_DEPLOY,
    "worse": events.WORSE,
}


class Snooze(Struct, forbid_unknown_fields=True):
    """Until when an incident is put off: for a time, until something happens, or what comes first.

    ``until`` is one of ``labels``, ``deploy`` and ``worse``.
    """

    lasts: Name | None = None
    until: Name | None = None


class Judgement(Struct, forbid_unknown_fields=True):
    """What an incident was worth."""

    verdict: Verdict


class End(Struct, forbid_unknown_fields=True):
    """Why an incident is over."""

    reason: Words = "manual"


class NewSilence(Struct, forbid_unknown_fields=True):
    """What is to be silenced; names may hold ``*`` and ``?``, and what is left out matches all."""

    reason: Words
    lasts: Name
    model: Name | None = None
    family: Family | None = None
    column: Name | None = None
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SilenceView:
    """A silence; without a number it was only tried."""

    id: int | None
    model: str | None
    family: Family | None
    column: str | None
    reason: str
    author: str
    starts_at: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Covered:
    """A finding that fires now and that a silence covers."""

    model: str
    check: str
    column: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Silenced:
    """A silence that was made or tried, and what it covers now."""

    silence: SilenceView
    covers: tuple[Covered, ...]


@post("/incidents/{key:int}/acknowledge", status_code=200, sync_to_thread=True)
def acknowledge(request: WebRequest, key: FromPath[int]) -> IncidentView:
    """Tell the others that somebody is on it."""
    web = web_of(request)
    with write(web.engine) as session:
        respond.acknowledge(session, key, _actor(request), now=web.clock.now())
    return _shown(request, key)


@post("/incidents/{key:int}/snooze", status_code=200, sync_to_thread=True)
def snooze(request: WebRequest, key: FromPath[int], data: JSONBody[Snooze]) -> IncidentView:
    """Put an incident off, for at most 14 days."""
    if data.until is not None and data.until not in _CONDITIONS:
        raise _wrong("until", f"expected one of {', '.join(_CONDITIONS)}, got {data.until!r}")
    if data.until is None and data.lasts is None:
        raise _wrong("lasts", "expected a duration such as 4h, or `until`")
    web = web_of(request)
    now = web.clock.now()
    with write(web.engine) as session:
        respond.snooze(
            session,
            key,
            _actor(request),
            now=now,
            until=None if data.lasts is None else now + _duration(data.lasts),
            condition=None if data.until is None else _CONDITIONS[data.until],
        )
    return _shown(request, key)


@post("/incidents/{key:int}/verdict", status_code=200, sync_to_thread=True)
def judge(request: WebRequest, key: FromPath[int], data: JSONBody[Judgement]) -> IncidentView:
    """Say what an incident was worth; it counts in the precision of its rule."""
    web = web_of(request)
    with write(web.engine) as session:
        respond.judge(session, key, _actor(request), data.verdict, now=web.clock.now())
    return _shown(request, key)


@post("/incidents/{key:int}/resolve", status_code=200, sync_to_thread=True)
def resolve(request: WebRequest, key: FromPath[int], data: JSONBody[End]) -> IncidentView:
    """End an incident by hand."""
    web = web_of(request)
    with write(web.engine) as session:
        respond.end(session, key, _actor(request), now=web.clock.now(), reason=data.reason)
    return _shown(request, key)


@get("/silences", sync_to_thread=True)
def list_silences(request: WebRequest) -> list[SilenceView]:
    """List the silences that hold now, the first to end first."""
    web = web_of(request)
    with read(web.engine) as session:
        return [_view(silence) for silence in Silences(session).active(web.clock.now())]


@post("/silences", sync_to_thread=True)
def add_silence(request: WebRequest, data: JSONBody[NewSilence]) -> Silenced:
    """Hold new messages back for at most 30 days, or only show what that would cover."""
    web = web_of(request)
    now = web.clock.now()
    wanted = Silence(
        model=data.model,
        family=data.family,
        column=data.column,
        reason=data.reason,
        author=_actor(request),
        starts_at=now,
        until=now + _duration(data.lasts),
    )
    with write(web.engine) as session:
        silences = Silences(session)
        covers = tuple(
            Covered(model=each.model, check=each.check, column=each.column)
            for each in silences.preview(wanted)
        )
        made = wanted if data.dry_run else silences.add(wanted)
    return Silenced(silence=_view(made), covers=covers)


@delete("/silences/{key:int}", status_code=200, sync_to_thread=True)
def end_silence(request: WebRequest, key: FromPath[int]) -> SilenceView:
    """End a silence now; what it held back is told if it still fires."""
    web = web_of(request)
    with write(web.engine) as session:
        return _view(Silences(session).end(key, now=web.clock.now()))


def _view(silence: Silence) -> SilenceView:
    return SilenceView(
        id=silence.id or None,
        model=silence.model,
        family=silence.family,
        column=silence.column,
        reason=silence.reason,
        author=silence.author,
        starts_at=silence.starts_at,
        until=silence.until,
    )


def _shown(request: WebRequest, key: int) -> IncidentView:
    with web_of(request).reader() as reader:
        return reader.incident(key)


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise _wrong("lasts", str(exc)) from exc


def _wrong(field: str, message: str) -> ValidationException:
    return ValidationException(message, extra=[{"key": field, "message": message}])


def _actor(request: WebRequest) -> str:
    identity: Identity = request.scope["state"]["identity"]
    return identity.name


router = Router(
    path="/v1",
    route_handlers=[
        Router(
            path="/",
            route_handlers=[
                acknowledge,
                snooze,
                judge,
                resolve,
                add_silence,
                end_silence,
            ],
            guards=[needs(Role.RESPONDER), from_here],
        ),
        Router(path="/", route_handlers=[list_silences], guards=[needs(Role.VIEWER)]),
    ],
    security=[{"token": []}],
)
