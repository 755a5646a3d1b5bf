"""The records of one request as bytes in the spool, and as rows of the lake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa

from serving.model import Batch, Labels, Outputs
from serving.spool import Payload
from watchkeeper.lake import label_schema, prediction_schema
from watchkeeper.schema import ColumnKind, FeatureSchema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: Finds the signature of a version of the model.
SchemaOf = Callable[[int], FeatureSchema]


class PredictionRows(msgspec.Struct, array_like=True, frozen=True):
    """The predictions of one request; instants in microseconds since 1970."""

    version: int
    served_by: str
    predicted_at: int
    ids: Sequence[str]
    timestamps: Sequence[int]
    columns: Sequence[Sequence[Any]]
    y_pred: Sequence[Any]
    y_pred_proba: Sequence[Any] | None

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, stop: int) -> PredictionRows:
        """Return the rows from ``start`` up to ``stop``."""
        chances = self.y_pred_proba
        return PredictionRows(
            self.version,
            self.served_by,
            self.predicted_at,
            self.ids[start:stop],
            self.timestamps[start:stop],
            [column[start:stop] for column in self.columns],
            self.y_pred[start:stop],
            None if chances is None else chances[start:stop],
        )


class LabelRows(msgspec.Struct, array_like=True, frozen=True):
    """The labels of one request; instants in microseconds since 1970."""

    version: int
    received_at: int
    ids: Sequence[str]
    y_true: Sequence[Any]
    labelled_at: Sequence[int]

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, stop: int) -> LabelRows:
        """Return the rows from ``start`` up to ``stop``."""
        return LabelRows(
            self.version,
            self.received_at,
            self.ids[start:stop],
            self.y_true[start:stop],
            self.labelled_at[start:stop],
        )


Rows = PredictionRows | LabelRows
_ENCODER = msgspec.msgpack.Encoder()
_PREDICTIONS = msgspec.msgpack.Decoder(PredictionRows)
_LABELS = msgspec.msgpack.Decoder(LabelRows)


def encode_predictions(
    batch: Batch,
    outputs: Outputs,
    schema: FeatureSchema,
    *,
    version: int,
    served_by: str,
    predicted_at: datetime,
) -> Payload:
    """Return the bytes of one request's predictions."""
    rows = PredictionRows(
        version,
        served_by,
        _micros(predicted_at),
        batch.ids,
        [_micros(timestamp) for timestamp in batch.timestamps],
        [_plain(batch.columns[column.name], column.kind) for column in schema.columns],
        outputs.y_pred,
        outputs.y_pred_proba,
    )
    return encode(rows)


def encode_labels(labels: Labels, *, version: int, received_at: datetime) -> Payload:
    """Return the bytes of one request's labels.

    Parameters
    ----------
    version
        A version whose signature says what kind of labels these are.
    """
    times = [_micros(instant) for instant in labels.labelled_at]
    return encode(LabelRows(version, _micros(received_at), labels.ids, labels.y_true, times))


def encode(rows: Rows) -> Payload:
    """Return rows as bytes."""
    return Payload(rows=len(rows), content=_ENCODER.encode(rows))


def decode_predictions(payload: Payload) -> PredictionRows:
    """Read what `encode` wrote.

    Raises
    ------
    ValueError
        The bytes are something else.
    """
    return _PREDICTIONS.decode(payload.content)


def decode_labels(payload: Payload) -> LabelRows:
    """Read what `encode` wrote.

    Raises
    ------
    ValueError
        The bytes are something else.
    """
    return _LABELS.decode(payload.content)


def prediction_table(requests: Sequence[PredictionRows], schema_of: SchemaOf) -> pa.Table:
    """Return predictions as rows of the lake; of two with one id, the first.

    Raises
    ------
    ValueError, TypeError
        A value does not fit its column.
    """
    layout = prediction_schema(schema_of(requests[0].version))
    columns: dict[str, list[Any]] = {
        name: [] for name in layout.names if name not in {"writer", "sequence", "day"}
    }
    for rows in requests:
        count = len(rows)
        columns["prediction_id"].extend(rows.ids)
        columns["version"].extend([rows.version] * count)
        columns["timestamp"].extend(rows.timestamps)
        columns["predicted_at"].extend([rows.predicted_at] * count)
        # Versions of one generation have the same features, though not always in one order.
        names = schema_of(rows.version).names
        for name, values in zip(names, rows.columns, strict=True):
            columns[name].extend(values)
        columns["y_pred"].extend(rows.y_pred)
        if "y_pred_proba" in columns:
            columns["y_pred_proba"].extend(rows.y_pred_proba or [None] * count)
        columns["served_by"].extend([rows.served_by] * count)
    table = _table(columns, layout)
    return table.take(_first_places(columns["prediction_id"]))


def label_table(requests: Sequence[LabelRows], schema_of: SchemaOf) -> pa.Table:
    """Return labels as rows of the lake; of several for one id, the newest.

    Raises
    ------
    ValueError, TypeError
        A value does not fit its column.
    """
    layout = label_schema(schema_of(requests[0].version).task)
    newest: dict[str, tuple[int, int, Any]] = {}
    for rows in requests:
        for identifier, value, labelled_at in zip(
            rows.ids, rows.y_true, rows.labelled_at, strict=True
        ):
            label = (labelled_at, rows.received_at, value)
            known = newest.get(identifier)
            if known is None or label[:2] >= known[:2]:
                newest[identifier] = label
    columns = {
        "prediction_id": list(newest),
        "y_true": [value for _, _, value in newest.values()],
        "labelled_at": [labelled_at for labelled_at, _, _ in newest.values()],
        "received_at": [received_at for _, received_at, _ in newest.values()],
    }
    return _table(columns, layout)


def _table(columns: dict[str, list[Any]], layout: pa.Schema) -> pa.Table:
    schema = pa.schema([layout.field(name) for name in columns])
    return pa.table(
        {name: pa.array(values, schema.field(name).type) for name, values in columns.items()},
        schema=schema,
    )


def _first_places(ids: Sequence[str]) -> list[int]:
    places: dict[str, int] = {}
    for place, identifier in enumerate(ids):
        places.setdefault(identifier, place)
    return list(places.values())


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _plain(values: Sequence[Any], kind: ColumnKind) -> Sequence[Any]:
    if kind is ColumnKind.DATETIME:
        return [None if value is None else _micros(value) for value in values]
    return values
