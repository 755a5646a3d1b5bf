from __future__ import annotations

import pyarrow as pa
import pytest

from watchkeeper.errors import InputError
from watchkeeper.lake import label_schema, prediction_schema
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

FEATURES = (
    Column(name="distance", kind=ColumnKind.NUMERICAL),
    Column(name="carrier", kind=ColumnKind.CATEGORICAL),
    Column(name="remark", kind=ColumnKind.TEXT),
    Column(name="booked_at", kind=ColumnKind.DATETIME),
)


def signature(task: Task, columns: tuple[Column, ...] = FEATURES) -> FeatureSchema:
    return FeatureSchema(columns=columns, target="delayed", task=task)


def test_each_feature_has_a_column_of_its_kind() -> None:
    schema = prediction_schema(signature(Task.BINARY))

    assert [str(schema.field(column.name).type) for column in FEATURES] == [
        "double",
        "string",
        "string",
        "timestamp[us, tz=UTC]",
    ]


@pytest.mark.parametrize(
    ("task", "outcome", "probability"),
    [
        (Task.BINARY, "int64", "double"),
        (Task.MULTICLASS, "string", "list<item: double>"),
        (Task.REGRESSION, "double", None),
    ],
)
def test_predictions_and_labels_have_the_types_of_the_task(
    task: Task, outcome: str, probability: str | None
) -> None:
    schema = prediction_schema(signature(task))

    assert str(schema.field("y_pred").type) == outcome
    assert str(label_schema(task).field("y_true").type) == outcome
    if probability is None:
        assert "y_pred_proba" not in schema.names
    else:
        assert str(schema.field("y_pred_proba").type) == probability


def test_the_day_is_a_date() -> None:
    assert prediction_schema(signature(Task.BINARY)).field("day").type == pa.date32()


def test_a_feature_with_a_name_of_the_lakes_own_is_refused() -> None:
    columns = (Column(name="version", kind=ColumnKind.NUMERICAL),)

    with pytest.raises(InputError, match="'version': the name is reserved"):
        prediction_schema(signature(Task.BINARY, columns))
