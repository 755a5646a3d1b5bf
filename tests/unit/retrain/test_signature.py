"""From settings and rows to a signature."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from retrain.signature import (
    feature_kinds,
    plain_features,
    plain_labels,
    signature,
    with_free_text,
)
from serving.frame import to_frame
from watchkeeper.errors import TableError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import ColumnKind, FeatureSchema, Task
from watchkeeper.training import typed

TYPES = {
    "scheduled_at": "TIMESTAMP WITH TIME ZONE",
    "late": "TINYINT",
    "known_at": "TIMESTAMP",
    "flight": "VARCHAR",
    "speed": "FLOAT",
    "carrier": "ENUM('AA', 'UA')",
    "night": "BOOLEAN",
    "booked_at": "TIMESTAMP_NS",
}


def settings(task: str = "binary", **changes: Any) -> ModelSettings:
    prediction = {"binary": {"score": "s"}, "regression": {"value": "v"}}
    tolerance = {
        "binary": {"metric": "log_loss", "rise": "10%"},
        "multiclass": {"metric": "accuracy", "drop": 0.1},
        "regression": {"metric": "mae", "rise": "10%"},
    }
    data: dict[str, Any] = {
        "model": "flights",
        "task": task,
        "owner": {"name": "on call"},
        "timestamp": "scheduled_at",
        "prediction": prediction.get(task, {"label": "said"}),
        "label": {"column": "late", "available_at": "known_at"},
        "exclude": ["flight"],
        "windows": {"size": "1d"},
        "tolerance": tolerance[task],
    }
    return ModelSettings.model_validate(data | changes)


def test_every_column_without_another_role_is_a_feature() -> None:
    assert feature_kinds(settings(), TYPES, "t") == {
        "speed": ColumnKind.NUMERICAL,
        "carrier": ColumnKind.CATEGORICAL,
        "night": ColumnKind.CATEGORICAL,
        "booked_at": ColumnKind.DATETIME,
    }


def test_listed_features_are_taken_as_they_are() -> None:
    listed = settings(features={"speed": "numerical"})

    assert feature_kinds(listed, TYPES, "t") == {"speed": ColumnKind.NUMERICAL}
    with pytest.raises(TableError, match=r"features\.speed: no such column"):
        feature_kinds(listed, {"late": "TINYINT"}, "t")
    with pytest.raises(TableError, match="no column is left to be a feature"):
        feature_kinds(settings(), {"late": "TINYINT"}, "t")


def test_features_are_written_as_the_prediction_log_writes_them() -> None:
    kinds = feature_kinds(settings(), TYPES, "t")
    rows = pd.DataFrame(
        {
            "speed": [1, 2],
            "carrier": pd.Categorical(["UA", None]),
            "night": [True, False],
            "booked_at": ["2013-01-01T00:00:00+01:00", None],
        }
    )
    plain = plain_features(rows, kinds)

    assert plain["carrier"].tolist() == ["UA", None]
    assert plain["night"].tolist() == ["true", "false"]
    assert plain["speed"].dtype == "float64"
    assert plain["booked_at"].iloc[0] == pd.Timestamp("2012-12-31T23:00:00Z")
    with pytest.raises(TableError, match="column 'speed': expected numerical values"):
        plain_features(rows.assign(speed=["fast", "slow"]), kinds)


def test_a_signature_knows_categories_and_nulls_and_forgets_no_allowed_null() -> None:
    kinds = {"speed": ColumnKind.NUMERICAL, "carrier": ColumnKind.CATEGORICAL}
    with_nulls = pd.DataFrame({"speed": [1.0, None], "carrier": ["é", "Z"]})
    whole = pd.DataFrame({"speed": [1.0, 2.0], "carrier": ["a", "a"]})
    labels = pd.Series([0, 1])
    first = signature(settings(), kinds, with_nulls, labels)
    second = signature(settings(), kinds, whole, labels, first)

    assert [column.nullable for column in first.columns] == [True, False]
    assert [column.nullable for column in second.columns] == [True, False]
    assert first.columns[1].categories == ("Z", "é")
    assert (first.classes, first.target) == (("0", "1"), "late")
    assert FeatureSchema.from_dict(first.to_dict()) == first


def test_training_and_serving_type_a_frame_alike() -> None:
    kinds = with_free_text(
        feature_kinds(settings(), TYPES, "t"), pd.DataFrame({"carrier": ["a"], "night": ["b"]})
    )
    rows = plain_features(
        pd.DataFrame(
            {
                "speed": [1.5, None],
                "carrier": ["UA", None],
                "night": [True, None],
                "booked_at": [pd.Timestamp("2013-01-01"), None],
            }
        ),
        kinds,
    )
    schema = signature(settings(), kinds, rows, pd.Series([0, 1]))

    assert_frame_equal(typed(to_frame(schema, rows), schema), to_frame(schema, rows))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 1.0], [0, 1, 1]),
        ([True, False], [1, 0]),
        (["true", "false"], [1, 0]),
        (["1", "0"], [1, 0]),
    ],
)
def test_binary_labels_come_in_many_forms(values: list[object], expected: list[int]) -> None:
    assert plain_labels(pd.Series(values, dtype=object), settings()).tolist() == expected


def test_a_named_positive_class_is_the_positive_one() -> None:
    named = settings(label={"column": "late", "positive": "yes"})

    assert plain_labels(pd.Series(["yes", "no"]), named).tolist() == [1, 0]


def test_other_binary_labels_are_refused_with_what_to_do() -> None:
    with pytest.raises(TableError, match=r"column 'late': expected 0 and 1, .* label.positive"):
        plain_labels(pd.Series(["yes", "no"]), settings())


def test_labels_of_other_tasks() -> None:
    classes = plain_labels(pd.Series([1, 2]), settings("multiclass"))
    numbers = plain_labels(pd.Series(["1.5", "2"]), settings("regression"))

    assert classes.tolist() == ["1", "2"]
    assert numbers.tolist() == [1.5, 2.0]
    kinds = {"speed": ColumnKind.NUMERICAL}
    features = pd.DataFrame({"speed": [1.0, 2.0]})
    assert signature(settings("multiclass"), kinds, features, classes).classes == ("1", "2")
    assert signature(settings("regression"), kinds, features, numbers).task is Task.REGRESSION
    with pytest.raises(TableError, match="expected numbers"):
        plain_labels(pd.Series(["soon"]), settings("regression"))
