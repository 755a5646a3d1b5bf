"""Decode a request against a model's signature, naming every record and field that is wrong."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from serving.model import Batch, Record
from serving.wording import RecordsError, explain
from watchkeeper.errors import RecordError, TooLargeError
from watchkeeper.schema import Column, ColumnKind, FeatureSchema

#: The largest number that a model on 32-bit floats, as most are, can take.
MAX_NUMBER = 3.4e38
MAX_CATEGORY = 1_024
MAX_TEXT = 65_536
MAX_ID = 128
#: Event times and datetime features outside of this are typing errors or placeholders.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
#: How many records of one request are reported as wrong.
MAX_ERRORS = 50

Number = Annotated[float, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
Identifier = Annotated[
    str, msgspec.Meta(min_length=1, max_length=MAX_ID, pattern=r"\A[A-Za-z0-9_.:/@+=~-]+\Z")
]
# SQL databases cannot hold the character NUL in text.
_Category = Annotated[str, msgspec.Meta(max_length=MAX_CATEGORY, pattern=r"\A[^\x00]*\Z")]
_Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT, pattern=r"\A[^\x00]*\Z")]


class Signature:
    """The decoder of one model version; safe to share between threads.

    Parameters
    ----------
    schema
        The features; every request must hold each of them, null where it is missing.
    max_records
        Most records in one request.

    Examples
    --------
    >>> from watchkeeper.schema import Task
    >>> distance = Column(name="distance", kind=ColumnKind.NUMERICAL, nullable=False)
    >>> signature = Signature(
    ...     FeatureSchema(columns=(distance,), target="late", task=Task.BINARY), max_records=10)
    >>> noon = datetime(2013, 6, 1, 12, tzinfo=UTC)
    >>> signature.decode(b'{"records": [{"features": {"distance": 7}}]}', noon).columns
    {'distance': [7.0]}
    >>> signature.decode(b'{"records": [{"features": {"distance": "7"}}]}', noon)
    Traceback (most recent call last):
    ...
    serving.wording.RecordsError: records[0].features.distance: expected a number, got text
    """

    def __init__(self, schema: FeatureSchema, *, max_records: int) -> None:
        self.schema = schema
        self._max_records = max_records
        self._features = features_type(schema)
        self._record = msgspec.defstruct(
            "Record",
            [
                ("features", self._features),
                ("prediction_id", Identifier | None, None),
                ("timestamp", datetime | None, None),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        self._reader = RequestReader("records", self._record, max_records=max_records)
        self._extract = columns_of(schema)

    def decode(self, body: bytes, now: datetime) -> Batch:
        """Read the body of a request.

        Parameters
        ----------
        now
            Event time of records that give none.

        Raises
        ------
        RecordError
            The body is no JSON of the right shape (``record`` is None); or records are wrong: a
            `RecordsError` that names the first fifty, each with the first field that is.
        TooLargeError
            There are too many records.
        """
        return self._batch(self._reader.read(body, self.schema), now)

    def convert(self, records: Iterable[Record], now: datetime) -> Batch:
        """Check records that are Python objects, under the same rules as `decode`."""
        plain = [
            {"features": r.features, "prediction_id": r.prediction_id, "timestamp": r.timestamp}
            for r in records
        ]
        return self._batch(self._reader.convert(plain, self.schema), now)

    def _batch(self, records: Sequence[Any], now: datetime) -> Batch:
        ids = [record.prediction_id or new_id() for record in records]
        refuse_duplicates(ids)
        return Batch(
            ids=ids,
            timestamps=[
                now if r.timestamp is None else instant(r.timestamp, record=i, field="timestamp")
                for i, r in enumerate(records)
            ],
            columns=self._extract([record.features for record in records]),
        )


class RequestReader:
    """Reads the list under one key of a request's body.

    Parameters
    ----------
    key
        The only key of the body, besides ``extra``.
    item
        Type of the items of the list; a struct.
    """

    def __init__(self, key: str, item: Any, *, max_records: int) -> None:
        self._key = key
        self._item = item
        self._max_records = max_records
        # The request as a whole, and the request whose items are read one by one once it is wrong.
        self._whole = msgspec.json.Decoder(_request_type(key, item))
        self._parts = msgspec.json.Decoder(_request_type(key, msgspec.Raw))

    def read(self, body: bytes, schema: FeatureSchema) -> Sequence[Any]:
        """Return the items of a body; see `Signature.decode` for what it raises."""
        try:
            request = self._whole.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._explain(body, schema)
        items: list[Any] = getattr(request, self._key)
        self._check_length(len(items))
        return items

    def convert(self, items: Sequence[Any], schema: FeatureSchema) -> Sequence[Any]:
        """Return Python objects as items, under the same rules."""
        self._check_length(len(items))
        converted, errors = [], []
        for position, item in enumerate(items):
            try:
                converted.append(msgspec.convert(item, self._item))
            except msgspec.ValidationError as exc:
                errors.append(explain(str(exc), schema, record=position, key=self._key))
        if errors:
            raise RecordsError(errors[:MAX_ERRORS])
        return converted

    def _check_length(self, length: int) -> None:
        if length > self._max_records:
            raise TooLargeError(
                f"{self._key}: expected at most {self._max_records} at once, got {length}"
            )
        if length == 0:
            raise RecordError("expected at least one", field=self._key)

    def _explain(self, body: bytes, schema: FeatureSchema) -> None:
        try:
            parts = getattr(self._parts.decode(body), self._key)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise explain(str(exc), schema, record=None, key=self._key) from exc
        self._check_length(len(parts))
        errors = []
        decoder = msgspec.json.Decoder(self._item)
        for position, part in enumerate(parts):
            try:
                decoder.decode(part)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
                errors.append(explain(str(exc), schema, record=position, key=self._key))
            if len(errors) == MAX_ERRORS:
                break
        raise RecordsError(errors or [RecordError("expected valid JSON", field=self._key)])


def _request_type(key: str, item: Any) -> Any:
    return msgspec.defstruct("Request", [(key, list[item])], forbid_unknown_fields=True)


def new_id() -> str:
    """Return a prediction id: 32 hexadecimal digits that begin with the time, so that they sort."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def instant(value: datetime, *, record: int, field: str) -> datetime:
    """Return an instant of a request in UTC; naive means UTC.

    Raises
    ------
    RecordError
        It lies before 1900 or after 2199.
    """
    try:
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        moment = LATEST
    if not EARLIEST <= moment < LATEST:
        raise RecordsError(
            [RecordError("expected an instant from 1900 to 2199", record=record, field=field)]
        )
    return moment


def refuse_duplicates(ids: Sequence[str]) -> None:
    """Refuse a request that holds one prediction id twice.

    Raises
    ------
    RecordError
        It names the second record.
    """
    if len(set(ids)) == len(ids):
        return
    first: dict[str, int] = {}
    for position, identifier in enumerate(ids):
        if identifier in first:
            raise RecordsError(
                [
                    RecordError(
                        f"expected ids that differ; record {first[identifier]} has the same",
                        record=position,
                        field="prediction_id",
                    )
                ]
            )
        first[identifier] = position


def features_type(schema: FeatureSchema) -> Any:
    """Return the type that decodes the features of one record."""
    # Names of features need not be identifiers, so the fields have names of their own.
    fields = [(f"f{i}", _value_type(column)) for i, column in enumerate(schema.columns)]
    rename = {f"f{i}": column.name for i, column in enumerate(schema.columns)}
    return msgspec.defstruct(
        "Features", fields, rename=rename, forbid_unknown_fields=True, gc=False
    )


def _value_type(column: Column) -> Any:
    kinds: dict[ColumnKind, Any] = {
        ColumnKind.NUMERICAL: Number,
        ColumnKind.CATEGORICAL: _Category,
        ColumnKind.DATETIME: datetime,
        ColumnKind.TEXT: _Text,
    }
    kind = kinds[column.kind]
    if column.kind is ColumnKind.CATEGORICAL and _whole_numbers(column):
        kind = kind | int
    return kind | None if column.nullable else kind


def _whole_numbers(column: Column) -> bool:
    return bool(column.categories) and all(c.lstrip("-").isdecimal() for c in column.categories)


def columns_of(schema: FeatureSchema) -> Callable[[Sequence[Any]], dict[str, list[Any]]]:
    """Return the function that turns decoded features of records into columns."""
    fields = [(f"f{i}", column) for i, column in enumerate(schema.columns)]

    def extract(features: Sequence[Any]) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {}
        for field, column in fields:
            values = [getattr(row, field) for row in features]
            if column.kind is ColumnKind.DATETIME:
                name = f"features.{column.name}"
                values = [
                    None if v is None else instant(v, record=i, field=name)
                    for i, v in enumerate(values)
                ]
            elif column.kind is ColumnKind.CATEGORICAL and _whole_numbers(column):
                values = [None if v is None else str(v) for v in values]
            columns[column.name] = values
        return columns

    return extract
