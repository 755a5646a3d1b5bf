"""Decode labels, and predictions that were made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from serving.model import Batch, Labels, Outputs
from serving.signature import (
    MAX_CATEGORY,
    MAX_ERRORS,
    Identifier,
    Number,
    RequestReader,
    columns_of,
    features_type,
    instant,
    refuse_duplicates,
)
from serving.wording import RecordsError
from watchkeeper.errors import RecordError
from watchkeeper.schema import FeatureSchema, Task

_Outcome = bool | Number | Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CATEGORY)]
_Chance = Annotated[float, msgspec.Meta(ge=0, le=1)]
_TRUTH = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "False": 0, "True": 1}


class LabelItem(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One label as it is sent."""

    prediction_id: Identifier
    y_true: _Outcome
    labelled_at: datetime | None = None


class LabelReader:
    """Reads the labels of one model.

    Examples
    --------
    >>> from datetime import UTC
    >>> schema = FeatureSchema(columns=(), target="late", task=Task.BINARY, classes=("no", "yes"))
    >>> body = b'{"labels": [{"prediction_id": "a", "y_true": "yes"}]}'
    >>> noon = datetime(2013, 6, 1, 12, tzinfo=UTC)
    >>> LabelReader(schema, max_records=10).decode(body, noon).y_true
    [1]
    """

    def __init__(self, schema: FeatureSchema, *, max_records: int) -> None:
        self._schema = schema
        self._reader = RequestReader("labels", LabelItem, max_records=max_records)

    def decode(self, body: bytes, now: datetime) -> Labels:
        """Read the body of a request; see `Signature.decode` for what it raises.

        Parameters
        ----------
        now
            Event time of labels that give none.
        """
        items = self._reader.read(body, self._schema)
        ids = [item.prediction_id for item in items]
        refuse_duplicates(ids)
        return Labels(
            ids=ids,
            y_true=outcomes([item.y_true for item in items], self._schema, field="y_true"),
            labelled_at=[
                now
                if item.labelled_at is None
                else instant(item.labelled_at, record=i, field="labelled_at")
                for i, item in enumerate(items)
            ],
        )


class PredictionReader:
    """Reads predictions that another system made with the features of a model's signature."""

    def __init__(self, schema: FeatureSchema, *, max_records: int) -> None:
        self._schema = schema
        item = msgspec.defstruct(
            "Prediction",
            [
                ("prediction_id", Identifier),
                ("features", features_type(schema)),
                ("y_pred", _Outcome | None, None),
                ("y_pred_proba", _Chance | list[_Chance] | None, None),
                ("timestamp", datetime | None, None),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        self._reader = RequestReader("predictions", item, max_records=max_records)
        self._extract = columns_of(schema)

    def decode(self, body: bytes, now: datetime) -> tuple[Batch, Outputs]:
        """Read the body of a request; see `Signature.decode` for what it raises."""
        items = self._reader.read(body, self._schema)
        ids = [item.prediction_id for item in items]
        refuse_duplicates(ids)
        batch = Batch(
            ids=ids,
            timestamps=[
                now
                if item.timestamp is None
                else instant(item.timestamp, record=i, field="timestamp")
                for i, item in enumerate(items)
            ],
            columns=self._extract([item.features for item in items]),
        )
        return batch, self._outputs(items)

    def _outputs(self, items: Sequence[Any]) -> Outputs:
        chances = [self._chances(item.y_pred_proba, i) for i, item in enumerate(items)]
        given = [self._label(item.y_pred, chances[i], i) for i, item in enumerate(items)]
        without = self._schema.task is Task.REGRESSION
        return Outputs(
            y_pred=outcomes(given, self._schema, field="y_pred"),
            y_pred_proba=None if without else chances,
        )

    def _chances(self, value: float | list[float] | None, record: int) -> Any:
        """Check a probability; None where a classifier's was not recorded."""
        task, classes = self._schema.task, len(self._schema.classes)
        fits = {
            Task.BINARY: isinstance(value, float),
            Task.MULTICLASS: isinstance(value, list) and len(value) == classes,
            Task.REGRESSION: False,
        }[task]
        if value is None or fits:
            return value
        wanted = {
            Task.BINARY: "a number from 0 to 1",
            Task.MULTICLASS: f"a list of {classes} numbers from 0 to 1",
            Task.REGRESSION: "none, as the model is a regression",
        }[task]
        raise RecordsError([RecordError(f"expected {wanted}", record=record, field="y_pred_proba")])

    def _label(self, value: Any, chances: Any, record: int) -> Any:
        if value is not None:
            return value
        if self._schema.task is Task.BINARY and chances is not None:
            return bool(chances >= 0.5)
        if self._schema.task is Task.MULTICLASS and chances is not None:
            return self._schema.classes[max(range(len(chances)), key=chances.__getitem__)]
        raise RecordsError([RecordError("missing", record=record, field="y_pred")])


def outcomes(values: Sequence[Any], schema: FeatureSchema, *, field: str) -> list[Any]:
    """Return labels, or predictions, in the types of the lake.

    Raises
    ------
    RecordError
        A value is not one that the task can have.

    Examples
    --------
    >>> schema = FeatureSchema(columns=(), target="late", task=Task.BINARY, classes=("no", "yes"))
    >>> outcomes([True, 0, "yes"], schema, field="y_true")
    [1, 0, 1]
    """
    found: list[Any] = []
    errors: list[RecordError] = []
    for position, value in enumerate(values):
        outcome = _outcome(value, schema)
        if outcome is None:
            problem = f"expected {_wanted(schema)}"
            errors.append(RecordError(problem, record=position, field=field))
        found.append(outcome)
    if errors:
        raise RecordsError(errors[:MAX_ERRORS])
    return found


def _outcome(value: Any, schema: FeatureSchema) -> Any:
    if schema.task is Task.REGRESSION:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if number else None
    text = value if isinstance(value, str) else _plain(value)
    if schema.task is Task.BINARY:
        known = {name: i for i, name in enumerate(schema.classes)}
        return known.get(text, _TRUTH.get(text))
    # A class that training never saw may still be the truth.
    return text if text and "\x00" not in text else None


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _wanted(schema: FeatureSchema) -> str:
    if schema.task is Task.REGRESSION:
        return "a number"
    if schema.task is Task.BINARY:
        return f"0 or 1, or one of {', '.join(schema.classes)}"
    return "the name of a class"
