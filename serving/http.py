"""The hot HTTP routes, as plain ASGI in front of the rest of the service."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from serving.metrics import UNKNOWN, ServingMetrics
from serving.predictor import Predictor
from serving.problems import MEDIA_TYPE, Problem, busy, problem_of
from watchkeeper.errors import WatchkeeperError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_JSON = b"application/json"
_log = logging.getLogger(__name__)


class Access(StrEnum):
    """Whether the bearer of a token may send requests."""

    ALLOWED = "allowed"
    UNKNOWN = "unknown"
    FORBIDDEN = "forbidden"


#: Judges a bearer token, None for a request without one; it is called off the event loop.
Authorise = Callable[[str | None], Access]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much is taken at once.

    Parameters
    ----------
    max_body_bytes
        Largest body of a request.
    max_in_flight
        Requests that may be worked on or wait; more are turned away with 503.
    threads
        Threads that work on them.
    body_seconds
        How long a client may take to send a body.
    """

    max_body_bytes: int = 8 * 1024**2
    max_in_flight: int = 256
    threads: int = 32
    body_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A request to one of our routes."""

    route: str
    model: str
    version: int | None = None


class _RefusedError(Exception):
    """A request ends here, with this problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class ServingApp:
    """Predict, log predictions and labels, ``/live``, ``/ready``; the rest goes to ``otherwise``.

    Parameters
    ----------
    authorise
        Judges the bearer token of each request to predict or to log.
    otherwise
        The application behind it; it also gets the life-span events.
    on_shutdown
        Called once the last request is answered; blocks the end of the server.
    watch
        What the watch over the watch says; ``/ready`` shows it, and is not decided by it.
    """

    def __init__(
        self,
        predictor: Predictor,
        metrics: ServingMetrics,
        *,
        authorise: Authorise,
        otherwise: ASGIApp | None = None,
        limits: Limits | None = None,
        on_shutdown: Callable[[], None] | None = None,
        watch: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self._predictor = predictor
        self._metrics = metrics
        self._authorise = authorise
        self._otherwise = otherwise or nothing_else
        self._limits = limits or Limits()
        self._on_shutdown = on_shutdown
        self._watch = watch
        self._threads = ThreadPoolExecutor(self._limits.threads, thread_name_prefix="predict")
        self._in_flight = 0
        self._draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._otherwise(scope, self._closing(receive), send)
            return
        path: str = scope["path"]
        if scope["type"] == "http" and path in {"/live", "/ready"}:
            await self._tell_health(path, send)
            return
        call = _parse(path) if scope["type"] == "http" else None
        if call is None:
            await self._otherwise(scope, receive, send)
        else:
            await self._serve(call, scope, receive, send)

    def drain(self) -> None:
        """Take no more requests and call ``/ready`` unready; those in flight are finished."""
        self._draining = True

    async def _serve(self, call: _Call, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        rows = 0
        try:
            self._enter(scope)
            try:
                body = await self._body(scope, receive)
                rows, content = await self._work(call, scope, body)
            finally:
                self._in_flight -= 1
            status, answer = HTTPStatus.OK, _answer(HTTPStatus.OK, content)
        except _RefusedError as refused:
            status, answer = refused.problem.status, _problem(refused.problem)
        except _GoneError:
            return
        known = call.model in self._predictor.readiness().models
        self._metrics.answered(
            call.route,
            call.model if known else UNKNOWN,
            status=int(status),
            seconds=time.perf_counter() - started,
            rows=rows,
        )
        for message in answer:
            await send(message)

    def _enter(self, scope: Scope) -> None:
        """Count a request in, or refuse it before its body is read."""
        if scope["method"] != "POST":
            raise _RefusedError(
                Problem(
                    status=HTTPStatus.METHOD_NOT_ALLOWED,
                    detail=f"expected POST, got {scope['method']}",
                    headers={"allow": "POST"},
                )
            )
        if self._draining:
            raise _RefusedError(busy("the server is shutting down; ask another, or again"))
        if self._in_flight >= self._limits.max_in_flight:
            self._metrics.turned_away()
            raise _RefusedError(busy("too many requests are in flight; try again"))
        self._in_flight += 1

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        _refuse_other_media(headers)
        limit = self._limits.max_body_bytes
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            raise _RefusedError(_too_large(limit))
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _GoneError
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > limit:
                        raise _RefusedError(_too_large(limit))
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError as exc:
            detail = f"expected the whole body within {self._limits.body_seconds:g} seconds"
            late = Problem(status=HTTPStatus.REQUEST_TIMEOUT, detail=detail)
            raise _RefusedError(late) from exc

    async def _work(self, call: _Call, scope: Scope, body: bytes) -> tuple[int, bytes]:
        # Decoding, the model and the wait for the disk would each hold up all other connections.
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._threads, self._run, call, _bearer(scope["headers"]), body
            )
        except WatchkeeperError as exc:
            raise _RefusedError(problem_of(exc)) from exc
        except SQLAlchemyError as exc:
            _log.exception("the database cannot be asked")
            raise _RefusedError(busy("the database cannot be asked; try again")) from exc
        except _RefusedError:
            raise
        except Exception as exc:
            _log.exception("a request to %s failed", call.route)
            raise _RefusedError(
                Problem(
                    status=HTTPStatus.INTERNAL_SERVER_ERROR,
                    detail="an error of the server's own; its log says more",
                )
            ) from exc

    def _run(self, call: _Call, token: str | None, body: bytes) -> tuple[int, bytes]:
        access = self._authorise(token)
        if access is not Access.ALLOWED:
            raise _RefusedError(_denied(access))
        if call.route == "predict":
            answers = self._predictor.predict_body(call.model, body, version=call.version)
            return len(answers), msgspec.json.encode({"predictions": answers})
        log = {
            "labels": self._predictor.log_labels,
            "predictions": self._predictor.log_predictions,
        }[call.route]
        rows = log(call.model, body)
        return rows, msgspec.json.encode({"accepted": rows})

    async def _tell_health(self, path: str, send: Send) -> None:
        if path == "/live":
            messages = _answer(HTTPStatus.OK, b'{"status":"live"}')
        else:
            readiness = self._predictor.readiness()
            ready = readiness.ready and not self._draining
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            word = "draining" if self._draining else "ready" if ready else "not ready"
            content = {
                "status": word,
                "models": dict(readiness.models),
                "problems": dict(readiness.problems),
                **await self._tell_watch(),
            }
            messages = _answer(status, msgspec.json.encode(content))
        for message in messages:
            await send(message)

    async def _tell_watch(self) -> dict[str, Any]:
        if self._watch is None:
            return {}
        try:
            loop = asyncio.get_running_loop()
            return {"watch": dict(await loop.run_in_executor(self._threads, self._watch))}
        except SQLAlchemyError as exc:
            # Requests may be answered well while the database is away.
            return {"watch": {"ok": False, "findings": [f"database: {type(exc).__name__}"]}}

    def _closing(self, receive: Receive) -> Receive:
        async def watched() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._close()
            return message

        return watched

    async def _close(self) -> None:
        self.drain()
        while self._in_flight:
            await asyncio.sleep(0.01)
        self._threads.shutdown(wait=True)
        if self._on_shutdown is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._on_shutdown)


class _GoneError(Exception):
    """The client closed the connection before its request was whole."""


async def nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 404 to whatever comes: the application behind a server that only serves models."""
    if scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return
    if scope["type"] == "http":
        problem = Problem(status=HTTPStatus.NOT_FOUND, detail="nothing is served at this address")
        for message in _problem(problem):
            await send(message)
    else:
        await send({"type": "websocket.close"})


def _parse(path: str) -> _Call | None:
    match path.split("/"):
        case ["", "v1", "models", model, "predict" | "labels" | "predictions" as route]:
            return _Call(route, model)
        case ["", "v1", "models", model, "versions", number, "predict"]:
            if number.isascii() and number.isdecimal() and len(number) < 10:
                return _Call("predict", model, int(number))
    return None


def _bearer(headers: list[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip().decode("latin-1")
    return None


def _refuse_other_media(headers: dict[bytes, bytes]) -> None:
    media, _, parameters = headers.get(b"content-type", b"").lower().partition(b";")
    charset = parameters.replace(b" ", b"").replace(b'"', b"")
    # A form of another site can send anything but this type without being asked.
    if media.strip() != _JSON or charset not in {b"", b"charset=utf-8"}:
        detail = "expected Content-Type: application/json"
    elif headers.get(b"content-encoding", b"identity") != b"identity":
        detail = "expected a body without Content-Encoding"
    else:
        return
    raise _RefusedError(Problem(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail=detail))


def _too_large(limit: int) -> Problem:
    return Problem(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        detail=f"expected a body of at most {limit} bytes; send fewer records at once",
        headers={"connection": "close"},
    )


def _denied(access: Access) -> Problem:
    if access is Access.FORBIDDEN:
        return Problem(
            status=HTTPStatus.FORBIDDEN, detail="the token's role does not allow this request"
        )
    return Problem(
        status=HTTPStatus.UNAUTHORIZED,
        detail="expected a valid token: Authorization: Bearer …",
        headers={"www-authenticate": "Bearer"},
    )


def _problem(problem: Problem) -> tuple[Message, Message]:
    return _answer(problem.status, problem.body(), MEDIA_TYPE, problem.headers)


def _answer(
    status: HTTPStatus,
    body: bytes,
    media_type: bytes = _JSON,
    extra: dict[str, str] | None = None,
) -> tuple[Message, Message]:
    headers = [
        (b"content-type", media_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *((name.encode(), value.encode()) for name, value in (extra or {}).items()),
    ]
    return (
        {"type": "http.response.start", "status": int(status), "headers": headers},
        {"type": "http.response.body", "body": body},
    )
