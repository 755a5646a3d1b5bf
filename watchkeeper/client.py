"""A small HTTP client for programs that ask for predictions, or log their own."""

from __future__ import annotations

import http.client
import json
import math
import random
import ssl
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Self
from urllib.parse import quote, urlsplit

from watchkeeper.errors import (
    CapacityError,
    ConfigurationError,
    ConflictError,
    InputError,
    NotFoundError,
    RecordError,
    TooLargeError,
    WatchkeeperError,
)

#: Records of one request; more are sent in several.
_RECORDS = 1_000
_LONGEST_PAUSE = 5.0
_TEMPORARY = frozenset({429, 502, 503, 504})


class Client:
    """Talks to one server; may be shared between threads.

    Requests that got no answer are sent again under the same prediction ids, so that each record
    is logged once.

    Parameters
    ----------
    url
        For example ``http://127.0.0.1:8000``.
    token
        Sent as bearer token; None where the server asks for none.
    timeout
        Seconds to wait for the answer to one request.
    patience
        Seconds to go on trying when the server cannot be reached or is full.

    Examples
    --------
    >>> with Client("http://127.0.0.1:8000", token="…") as client:  # doctest: +SKIP
    ...     client.predict("flights", [{"features": {"distance": 731}}])
    [{'prediction_id': '…', 'version': 1, 'y_pred': 0, 'y_pred_proba': 0.21, …}]
    """

    def __init__(
        self, url: str, token: str | None = None, *, timeout: float = 10.0, patience: float = 30.0
    ) -> None:
        self._address = urlsplit(url.rstrip("/"))
        if self._address.scheme not in {"http", "https"} or not self._address.hostname:
            raise ConfigurationError(f"expected http://HOST:PORT, got {url!r}", field="url")
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout
        self._patience = patience
        self._idle: deque[http.client.HTTPConnection] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        while self._idle:
            self._idle.pop().close()

    def predict(
        self, model: str, records: Iterable[Mapping[str, Any]], *, version: int | None = None
    ) -> list[dict[str, Any]]:
        """Ask for predictions.

        Parameters
        ----------
        records
            Each ``{"features": {…}}``, with ``prediction_id`` and ``timestamp`` where they are
            known. Datetimes may be given as such; a missing value is None or NaN.
        version
            Ask this version; None for the one that is deployed.

        Returns
        -------
        list of dict
            For each record ``prediction_id``, ``version``, ``y_pred``, ``served_by``, and for
            classifiers ``y_pred_proba``; in order.

        Raises
        ------
        RecordError
            A record does not fit the model; it names record and field.
        NotFoundError
            There is no such model.
        CapacityError
            The server could not be reached, or was full, for as long as patience lasted.
        """
        middle = "" if version is None else f"/versions/{version}"
        named = (
            {**record, "prediction_id": record.get("prediction_id") or uuid.uuid4().hex}
            for record in records
        )
        answers: list[dict[str, Any]] = []
        for batch in _batches(named):
            answer = self._post(model, f"{middle}/predict", {"records": batch}, len(answers))
            answers.extend(answer["predictions"])
        return answers

    def log_predictions(self, model: str, predictions: Iterable[Mapping[str, Any]]) -> int:
        """Log predictions that were made elsewhere, and return how many.

        Parameters
        ----------
        predictions
            Each with ``prediction_id``, ``features``, ``y_pred`` or ``y_pred_proba``, and
            ``timestamp`` where it is known. Logging one again changes nothing.
        """
        return self._log(model, "predictions", predictions)

    def log_labels(self, model: str, labels: Iterable[Mapping[str, Any]]) -> int:
        """Log what turned out to be true, and return how many labels.

        Parameters
        ----------
        labels
            Each with ``prediction_id``, ``y_true``, and ``labelled_at`` where it is known. Logging
            one again changes nothing; another value is a correction.
        """
        return self._log(model, "labels", labels)

    def _log(self, model: str, kind: str, records: Iterable[Mapping[str, Any]]) -> int:
        logged = 0
        for batch in _batches(records):
            self._post(model, f"/{kind}", {kind: batch}, logged)
            logged += len(batch)
        return logged

    def _post(self, model: str, path: str, content: dict[str, Any], offset: int) -> Any:
        body = json.dumps(_plain(content), allow_nan=False, default=_text).encode()
        place = f"{self._address.path}/v1/models/{quote(model, safe='')}{path}"
        ends = time.monotonic() + self._patience
        attempt = 0
        while True:
            status, answer, pause = self._send(place, body)
            if status == 200:
                return answer
            attempt += 1
            if status is not None and status not in _TEMPORARY:
                raise _error(status, answer, model, offset)
            # Spread out, lest all who wait for a server come back at the same moment.
            pause = max(pause, min(_LONGEST_PAUSE, 0.05 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311
            if time.monotonic() + pause > ends:
                raise _error(status, answer, model, offset)
            time.sleep(pause)

    def _send(self, place: str, body: bytes) -> tuple[int | None, Any, float]:
        """Send one request; status None when there was no answer."""
        connection = self._connection()
        reused = connection.sock is not None
        try:
            connection.request("POST", place, body, self._headers)
            response = connection.getresponse()
            content = response.read()
        except ssl.SSLCertVerificationError as exc:
            connection.close()
            raise ConfigurationError(f"the server's certificate is refused: {exc}") from exc
        except (OSError, http.client.HTTPException) as exc:
            connection.close()
            if reused and not isinstance(exc, TimeoutError):
                # The server has closed what was idle; under the same ids a repeat adds nothing.
                return self._send(place, body)
            return None, {"detail": f"{self._address.netloc}: {type(exc).__name__}: {exc}"}, 0.0
        self._idle.append(connection)
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {"detail": "expected JSON from the server, got something else"}
        after = response.getheader("Retry-After", "")
        return response.status, answer, min(_LONGEST_PAUSE, float(after) if after.isdigit() else 0)

    def _connection(self) -> http.client.HTTPConnection:
        try:
            return self._idle.pop()
        except IndexError:
            secure = self._address.scheme == "https"
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            host, port = self._address.hostname or "", self._address.port
            return kind(host, port, timeout=self._timeout)


def _batches(records: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    for record in records:
        batch.append(record)
        if len(batch) == _RECORDS:
            yield batch
            batch = []
    if batch:
        yield batch


def _plain(value: Any) -> Any:
    """Turn what pandas and NumPy make of missing values into null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _text(value: Any) -> Any:
    if isinstance(value, date):
        missing = isinstance(value, datetime) and value != value  # noqa: PLR0124 - pandas' NaT
        return None if missing else value.isoformat()
    if hasattr(value, "item"):
        return _plain(value.item())
    raise InputError(f"expected numbers, text, instants or None, got {type(value).__name__}")


def _error(status: int | None, answer: Any, model: str, offset: int) -> WatchkeeperError:
    problem: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    detail = str(problem.get("detail", f"the server answered with status {status}"))
    if status == 422:
        return _record_error(problem, detail, offset)
    if status == 404:
        return NotFoundError("model", model) if "model" in detail else InputError(detail)
    if status in {401, 403}:
        return ConfigurationError(detail, field="token")
    kinds: dict[int | None, type[WatchkeeperError]] = {409: ConflictError, 413: TooLargeError}
    if status is None or status in _TEMPORARY:
        return CapacityError(detail)
    return kinds.get(status, InputError)(detail)


def _record_error(problem: Mapping[str, Any], detail: str, offset: int) -> RecordError:
    for first in problem.get("errors") or ():
        record = first.get("record")
        return RecordError(
            first.get("expected", detail),
            record=None if record is None else offset + record,
            field=first.get("field"),
        )
    return RecordError(detail)
