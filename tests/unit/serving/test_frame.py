from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from serving.frame import to_frame
from watchkeeper.errors import TableError
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.training import typed

SCHEMA = FeatureSchema(
    columns=(
        Column(name="n", kind=ColumnKind.NUMERICAL),
        Column(name="c", kind=ColumnKind.CATEGORICAL, categories=("a", "b")),
        Column(name="t", kind=ColumnKind.DATETIME),
        Column(name="s", kind=ColumnKind.TEXT),
    ),
    target="y",
    task=Task.REGRESSION,
)
NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
COLUMNS = {"n": [1, None], "c": ["b", "zz"], "t": [NOON, None], "s": ["x", None], "more": [0, 0]}


def test_lists_become_typed_columns_in_the_order_of_the_schema() -> None:
    frame = to_frame(SCHEMA, COLUMNS)

    assert list(frame) == ["n", "c", "t", "s"]
    assert [str(kind) for kind in frame.dtypes] == [
        "float64",
        "category",
        "datetime64[us, UTC]",
        "object",
    ]
    assert frame["c"].isna().tolist() == [False, True]
    assert list(frame["c"].cat.categories) == ["a", "b"]
    assert frame["s"].tolist() == ["x", None]


def test_a_frame_may_be_typed_twice() -> None:
    once = to_frame(SCHEMA, COLUMNS)

    pd.testing.assert_frame_equal(to_frame(SCHEMA, once), once)


def test_training_and_serving_see_the_same_values() -> None:
    raw = pd.DataFrame({"n": [1.0, np.nan], "c": ["b", "zz"], "t": [NOON, pd.NaT], "s": ["x", "y"]})

    pd.testing.assert_frame_equal(
        to_frame(SCHEMA, raw), typed(raw, SCHEMA), check_dtype=False, check_categorical=False
    )


def test_the_index_of_a_frame_is_kept() -> None:
    raw = pd.DataFrame({"n": [1.0], "c": ["b"], "t": [NOON], "s": ["x"]}, index=[7])

    frame = to_frame(SCHEMA, raw)

    assert frame.index.tolist() == [7]
    assert frame["c"].tolist() == ["b"]


@pytest.mark.parametrize(
    ("column", "values"), [("n", ["x", 1]), ("t", ["no date", None]), ("s", [1, 2])]
)
def test_it_names_the_column_that_holds_something_else(column: str, values: list[object]) -> None:
    with pytest.raises(TableError, match=f"column '{column}': expected"):
        to_frame(SCHEMA, COLUMNS | {column: values})


def test_it_names_the_column_that_is_absent() -> None:
    with pytest.raises(TableError, match="column 'c': no such column"):
        to_frame(SCHEMA, {"n": [1]})


def test_whole_numbers_as_categories_match_their_text() -> None:
    column = Column(name="month", kind=ColumnKind.CATEGORICAL, categories=("1", "12"))
    schema = FeatureSchema(columns=(column,), target="y", task=Task.REGRESSION)
    raw = pd.DataFrame({"month": [1.0, 12.0, np.nan]})

    assert to_frame(schema, raw)["month"].cat.codes.tolist() == [0, 1, -1]
