"""Errors as problem details (RFC 9457), naming every record and field that is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

from serving.wording import RecordsError
from watchkeeper.errors import (
    ArtifactError,
    CapacityError,
    InputError,
    NotFoundError,
    RecordError,
    TooLargeError,
    WatchkeeperError,
)

MEDIA_TYPE = b"application/problem+json"
_RETRY_AFTER = {"retry-after": "1"}
_STATUS: tuple[tuple[type[WatchkeeperError], HTTPStatus], ...] = (
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (CapacityError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ArtifactError, HTTPStatus.SERVICE_UNAVAILABLE),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Why a request was not answered."""

    status: HTTPStatus
    detail: str
    errors: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """Return the problem as JSON."""
        content: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.errors:
            content["errors"] = self.errors
        return msgspec.json.encode(content)


def problem_of(error: WatchkeeperError) -> Problem:
    """Return the answer to a request that was refused.

    Examples
    --------
    >>> problem = problem_of(RecordError("expected a number", record=1, field="features.a"))
    >>> int(problem.status), problem.errors
    (422, [{'record': 1, 'field': 'features.a', 'expected': 'expected a number'}])
    """
    status = next(
        (status for kind, status in _STATUS if isinstance(error, kind)),
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
    headers = _RETRY_AFTER if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Problem(status=status, detail=str(error), errors=_errors(error), headers=headers)


def _errors(error: WatchkeeperError) -> list[dict[str, Any]]:
    if not isinstance(error, RecordError):
        return []
    found = error.errors if isinstance(error, RecordsError) else (error,)
    return [{"record": e.record, "field": e.field, "expected": e.problem} for e in found]


def busy(detail: str) -> Problem:
    """Return the answer to a request for which there is no room now."""
    return Problem(status=HTTPStatus.SERVICE_UNAVAILABLE, detail=detail, headers=dict(_RETRY_AFTER))
