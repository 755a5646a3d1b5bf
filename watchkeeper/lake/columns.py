"""The columns of the lake's tables: fixed ones, and those that a model's signature prescribes."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.errors import TableError
from watchkeeper.registry.model import refuse_unusable_names
from watchkeeper.schema import ColumnKind, FeatureSchema, Task

INSTANT = pa.timestamp("us", tz="UTC")
TYPES = {
    ColumnKind.NUMERICAL: pa.float64(),
    ColumnKind.CATEGORICAL: pa.string(),
    ColumnKind.TEXT: pa.string(),
    ColumnKind.DATETIME: INSTANT,
}
OUTCOMES = {
    Task.BINARY: pa.int64(),
    Task.MULTICLASS: pa.string(),
    Task.REGRESSION: pa.float64(),
}
PROBABILITIES = {Task.BINARY: pa.float64(), Task.MULTICLASS: pa.list_(pa.float64())}
#: Which batch of which shipper a row came with, and the day that its partition is named after.
SHIPPING = (("writer", pa.string()), ("sequence", pa.int64()), ("day", pa.date32()))


def prediction_schema(schema: FeatureSchema) -> pa.Schema:
    """Return the Arrow schema of a model's prediction table.

    Raises
    ------
    InputError
        A feature has a name that the table cannot hold.

    Examples
    --------
    >>> from watchkeeper.schema import Column
    >>> schema = FeatureSchema(
    ...     columns=(Column(name="distance", kind=ColumnKind.NUMERICAL),),
    ...     target="delayed", task=Task.BINARY, classes=("0", "1"))
    >>> prediction_schema(schema).field("distance").type
    DataType(double)
    """
    refuse_unusable_names(schema)
    outputs = [("y_pred", OUTCOMES[schema.task])]
    if schema.task in PROBABILITIES:
        outputs.append(("y_pred_proba", PROBABILITIES[schema.task]))
    return pa.schema(
        [
            ("prediction_id", pa.string()),
            ("version", pa.int32()),
            ("timestamp", INSTANT),
            ("predicted_at", INSTANT),
            *((column.name, TYPES[column.kind]) for column in schema.columns),
            *outputs,
            ("served_by", pa.string()),
            *SHIPPING,
        ]
    )


def label_schema(task: Task) -> pa.Schema:
    """Return the Arrow schema of a model's label table.

    Examples
    --------
    >>> label_schema(Task.REGRESSION).field("y_true").type
    DataType(double)
    """
    return pa.schema(
        [
            ("prediction_id", pa.string()),
            ("y_true", OUTCOMES[task]),
            ("labelled_at", INSTANT),
            ("received_at", INSTANT),
            *SHIPPING,
        ]
    )


def complete_predictions(rows: pa.Table, *, writer: str, sequence: int, table: str) -> pa.Table:
    """Check a batch of predictions and add the columns of ``SHIPPING``.

    ``writer`` and ``sequence`` are kept where the batch has them; ``day`` is always the UTC day
    of the row's event time.

    Raises
    ------
    TableError
        A column is missing, has another type than prescribed, or is null where it must not be.
    """
    rows = _plain_strings(rows, table=table)
    outcome, probability = _type(rows, "y_pred"), _type(rows, "y_pred_proba")
    for task in Task:
        if outcome == OUTCOMES[task] and probability == PROBABILITIES.get(task):
            fixed = prediction_schema(FeatureSchema(columns=(), target="", task=task))
            break
    else:
        raise TableError(
            "expected y_pred and y_pred_proba of int64 and double, string and list<double>, or "
            f"double and none, got {outcome} and {probability or 'none'}",
            table=table,
        )
    for field in rows.schema:
        if field.name not in fixed.names and field.type not in TYPES.values():
            problem = f"expected double, string or {INSTANT}, got {field.type}"
            raise TableError(problem, table=table, place=field.name)
    return _complete(rows, fixed, "timestamp", writer=writer, sequence=sequence, table=table)


def complete_labels(rows: pa.Table, *, writer: str, sequence: int, table: str) -> pa.Table:
    """Check a batch of labels and add the columns of ``SHIPPING``; see ``complete_predictions``.

    Raises
    ------
    TableError
        A column is missing, too much, has another type than prescribed, or is null where it
        must not be.
    """
    rows = _plain_strings(rows, table=table)
    outcome = _type(rows, "y_true")
    fixed = next((label_schema(task) for task in Task if outcome == OUTCOMES[task]), None)
    if fixed is None:
        problem = f"expected int64, string or double, got {outcome or 'none'}"
        raise TableError(problem, table=table, place="y_true")
    rows = _complete(rows, fixed, "labelled_at", writer=writer, sequence=sequence, table=table)
    refuse_other_columns(rows.schema, fixed, table=table)
    return rows


def refuse_other_columns(rows: pa.Schema, expected: pa.Schema, *, table: str) -> None:
    """Refuse a batch whose columns are not those of the table, in whatever order.

    Raises
    ------
    TableError
        Names the first column that is missing, too much, or of another type.
    """
    for name in [*expected.names, *rows.names]:
        if name not in rows.names:
            raise TableError("the column is missing", table=table, place=name)
        if name not in expected.names:
            raise TableError("the table has no such column", table=table, place=name)
        wanted, got = expected.field(name).type, rows.field(name).type
        if wanted != got:
            raise TableError(f"expected {wanted}, got {got}", table=table, place=name)


def _complete(
    rows: pa.Table, fixed: pa.Schema, event_time: str, *, writer: str, sequence: int, table: str
) -> pa.Table:
    shipping = {"writer": pa.scalar(writer), "sequence": pa.scalar(sequence, pa.int64())}
    for name, value in shipping.items():
        if name not in rows.schema.names:
            rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
    if "day" in rows.schema.names:
        rows = rows.drop_columns(["day"])
    prescribed = fixed.remove(fixed.get_field_index("day"))
    present = [field for field in rows.schema if field.name in prescribed.names]
    refuse_other_columns(pa.schema(present), prescribed, table=table)
    for name in ("prediction_id", event_time):
        if rows[name].null_count:
            row = pc.index(pc.is_null(rows[name]), pa.scalar(value=True)).as_py()
            raise TableError(f"{name} is null", table=table, place=f"row {row}")
    return rows.append_column("day", rows[event_time].cast(pa.date32()))


def _type(rows: pa.Table, column: str) -> pa.DataType | None:
    return rows.schema.field(column).type if column in rows.schema.names else None


def _plain_strings(rows: pa.Table, *, table: str) -> pa.Table:
    names = rows.schema.names
    if twice := {name for name in names if names.count(name) > 1}:
        raise TableError("there are two such columns", table=table, place=min(twice))
    # pandas makes large strings, which differ in nothing but the width of their offsets.
    large = {field.name for field in rows.schema if pa.types.is_large_string(field.type)}
    plain = [f.with_type(pa.string()) if f.name in large else f for f in rows.schema]
    return rows.cast(pa.schema(plain))
