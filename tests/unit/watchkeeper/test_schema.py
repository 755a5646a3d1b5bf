from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

COLUMNS = st.builds(
    Column,
    name=st.text(),
    kind=st.sampled_from(ColumnKind),
    nullable=st.booleans(),
    categories=st.lists(st.text(), max_size=3).map(tuple),
)
SCHEMAS = st.builds(
    FeatureSchema,
    columns=st.lists(COLUMNS, max_size=4).map(tuple),
    target=st.text(),
    task=st.sampled_from(Task),
    classes=st.lists(st.text(), max_size=3).map(tuple),
)


@given(SCHEMAS)
def test_a_schema_is_read_back_from_json_as_it_was_written(schema: FeatureSchema) -> None:
    assert FeatureSchema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


def test_the_names_are_in_the_order_of_the_columns() -> None:
    columns = tuple(Column(name=name, kind=ColumnKind.NUMERICAL) for name in "ba")

    assert FeatureSchema(columns=columns, target="y", task=Task.BINARY).names == ("b", "a")
