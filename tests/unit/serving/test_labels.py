from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.labels import LabelReader, PredictionReader
from serving.wording import RecordsError
from watchkeeper.errors import RecordError
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)


def schema(task: Task) -> FeatureSchema:
    classes = {
        Task.BINARY: ("no", "yes"),
        Task.MULTICLASS: ("red", "green", "3"),
        Task.REGRESSION: (),
    }[task]
    column = Column(name="a", kind=ColumnKind.NUMERICAL, nullable=False)
    return FeatureSchema(columns=(column,), target="y", task=task, classes=classes)


def read(task: Task, *labels: Any) -> Any:
    raw = json.dumps({"labels": list(labels)}).encode()
    return LabelReader(schema(task), max_records=10).decode(raw, NOON)


def log(task: Task, *predictions: Any) -> Any:
    raw = json.dumps({"predictions": list(predictions)}).encode()
    return PredictionReader(schema(task), max_records=10).decode(raw, NOON)


@pytest.mark.parametrize(
    ("task", "given", "stored"),
    [
        (Task.BINARY, 1, 1),
        (Task.BINARY, False, 0),
        (Task.BINARY, "yes", 1),
        (Task.BINARY, 1.0, 1),
        (Task.MULTICLASS, "green", "green"),
        (Task.MULTICLASS, 3, "3"),
        (Task.MULTICLASS, "never seen", "never seen"),
        (Task.REGRESSION, 3, 3.0),
        (Task.REGRESSION, -2.5, -2.5),
    ],
)
def test_labels_get_the_type_of_the_task(task: Task, given: Any, stored: Any) -> None:
    labels = read(task, {"prediction_id": "a", "y_true": given})

    assert labels.y_true == [stored]
    assert type(labels.y_true[0]) is type(stored)
    assert labels.labelled_at == [NOON]


@pytest.mark.parametrize(
    ("task", "given"),
    [
        (Task.BINARY, 2),
        (Task.BINARY, "maybe"),
        (Task.BINARY, 0.5),
        (Task.BINARY, None),
        (Task.BINARY, []),
        (Task.MULTICLASS, ""),
        (Task.MULTICLASS, None),
        (Task.REGRESSION, "3"),
        (Task.REGRESSION, True),
        (Task.REGRESSION, 1e39),
        (Task.REGRESSION, None),
    ],
)
def test_a_label_that_the_task_cannot_have_is_refused(task: Task, given: Any) -> None:
    with pytest.raises(RecordError) as caught:
        read(
            task,
            {"prediction_id": "a", "y_true": 1 if task is not Task.MULTICLASS else "red"},
            {"prediction_id": "b", "y_true": given},
        )

    assert (caught.value.record, caught.value.field) == (1, "y_true")


def test_one_id_twice_among_labels_is_refused() -> None:
    with pytest.raises(RecordError, match="expected ids that differ"):
        read(Task.BINARY, *[{"prediction_id": "a", "y_true": 1}] * 2)


def test_every_wrong_label_is_reported() -> None:
    with pytest.raises(RecordsError) as caught:
        read(Task.BINARY, *[{"prediction_id": str(i), "y_true": 7 + i} for i in range(3)])

    assert [error.record for error in caught.value.errors] == [0, 1, 2]


def test_a_prediction_made_elsewhere_is_read() -> None:
    batch, outputs = log(
        Task.BINARY,
        {"prediction_id": "a", "features": {"a": 1}, "y_pred_proba": 0.7},
        {"prediction_id": "b", "features": {"a": 2}, "y_pred": 0, "y_pred_proba": 0.6},
        {"prediction_id": "c", "features": {"a": 2}, "y_pred": "yes"},
    )

    assert batch.ids == ["a", "b", "c"]
    assert batch.columns == {"a": [1.0, 2.0, 2.0]}
    assert outputs.y_pred == [1, 0, 1]
    assert outputs.y_pred_proba == [0.7, 0.6, None]


def test_the_likeliest_class_is_the_prediction() -> None:
    _, outputs = log(
        Task.MULTICLASS,
        {"prediction_id": "a", "features": {"a": 1}, "y_pred_proba": [0.2, 0.7, 0.1]},
    )

    assert outputs.y_pred == ["green"]


@pytest.mark.parametrize(
    ("task", "given"),
    [
        (Task.BINARY, {}),
        (Task.BINARY, {"y_pred_proba": 1.5}),
        (Task.BINARY, {"y_pred_proba": [0.5, 0.5]}),
        (Task.MULTICLASS, {"y_pred": "red", "y_pred_proba": [0.5, 0.5]}),
        (Task.REGRESSION, {"y_pred": 1.0, "y_pred_proba": 0.5}),
        (Task.REGRESSION, {}),
    ],
)
def test_a_prediction_that_the_task_cannot_have_is_refused(task: Task, given: Any) -> None:
    with pytest.raises(RecordError) as caught:
        log(task, {"prediction_id": "a", "features": {"a": 1}, **given})

    assert caught.value.record == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from(list(Task)), json_values, json_values, json_values)
def test_whatever_comes_is_read_or_refused(task: Task, y: Any, chances: Any, at: Any) -> None:
    with contextlib.suppress(RecordError):
        read(task, {"prediction_id": "a", "y_true": y, "labelled_at": at})
    prediction = {"prediction_id": "a", "features": {"a": 1}, "y_pred": y}
    with contextlib.suppress(RecordError):
        log(task, prediction | {"y_pred_proba": chances, "timestamp": at})
