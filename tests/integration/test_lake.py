from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from watchkeeper.errors import ConfigurationError, InputError, TableError
from watchkeeper.lake import Lake, LakeTable, label_schema, prediction_schema
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
EVERYTHING = "* REPLACE (timestamp::VARCHAR AS timestamp, predicted_at::VARCHAR AS predicted_at)"
SCHEMA = FeatureSchema(
    columns=(
        Column(name="distance", kind=ColumnKind.NUMERICAL),
        Column(name="carrier", kind=ColumnKind.CATEGORICAL),
    ),
    target="delayed",
    task=Task.BINARY,
    classes=("0", "1"),
)


@pytest.fixture(params=["lake", "a lake #1 with 100% é"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


@pytest.fixture
def lake(root: Path) -> Lake:
    return Lake(str(root))


def predictions(*times: datetime, schema: FeatureSchema = SCHEMA) -> pa.Table:
    rows = [
        {
            "prediction_id": f"{time:%d%H}-{row}",
            "version": 1,
            "timestamp": time,
            "predicted_at": time,
            "distance": None if row == 0 else 1400.0,
            "carrier": "UA",
            "y_pred": 0,
            "y_pred_proba": 0.25,
            "served_by": "champion",
        }
        for row, time in enumerate(times)
    ]
    full = prediction_schema(schema)
    shipped = {"writer", "sequence", "day"}
    return pa.Table.from_pylist(
        rows, schema=pa.schema([field for field in full if field.name not in shipped])
    )


def labels(*ids: str, time: datetime = NOON) -> pa.Table:
    rows = [
        {"prediction_id": name, "y_true": 1, "labelled_at": time, "received_at": time}
        for name in ids
    ]
    schema = label_schema(Task.BINARY)
    return pa.Table.from_pylist(rows, schema=pa.schema(list(schema)[:4]))


def append(lake: Lake, rows: pa.Table, sequence: int = 1, writer: str = "w") -> bool:
    return lake.append_predictions("flights", 1, rows, writer=writer, sequence=sequence)


def only(tables: list[LakeTable]) -> LakeTable:
    assert len(tables) == 1
    return tables[0]


def query(
    table: LakeTable, columns: str, days: list[date] | None = None
) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(
            f"SELECT {columns} FROM read_parquet(?, hive_partitioning=true)"
            " ORDER BY prediction_id, sequence",
            [table.files(days)],
        ).fetchall()


def test_a_lake_without_rows_is_empty(lake: Lake) -> None:
    assert lake.predictions("flights") == []
    assert lake.labels("flights") is None


def test_an_empty_batch_makes_no_table(lake: Lake) -> None:
    assert not append(lake, predictions())
    assert lake.predictions("flights") == []


def test_duckdb_reads_the_rows_with_their_types(lake: Lake) -> None:
    assert append(lake, predictions(NOON, NOON + DAY))
    table = only(lake.predictions("flights"))

    with duckdb.connect() as connection:
        described = connection.execute(
            "DESCRIBE SELECT * FROM read_parquet(?, hive_partitioning=true)", [table.files()]
        ).fetchall()
    assert {name: kind for name, kind, *_ in described} == {
        "prediction_id": "VARCHAR",
        "version": "INTEGER",
        "timestamp": "TIMESTAMP WITH TIME ZONE",
        "predicted_at": "TIMESTAMP WITH TIME ZONE",
        "distance": "DOUBLE",
        "carrier": "VARCHAR",
        "y_pred": "BIGINT",
        "y_pred_proba": "DOUBLE",
        "served_by": "VARCHAR",
        "writer": "VARCHAR",
        "sequence": "BIGINT",
        "day": "DATE",
    }
    assert query(table, "prediction_id, distance, writer, sequence, day") == [
        ("0112-0", None, "w", 1, date(2013, 6, 1)),
        ("0212-1", 1400.0, "w", 1, date(2013, 6, 2)),
    ]


def test_the_tables_schema_is_the_signatures(lake: Lake) -> None:
    append(lake, predictions(NOON))

    schema = only(lake.predictions("flights")).schema
    assert {field.name: field.type for field in schema} == {
        field.name: field.type for field in prediction_schema(SCHEMA)
    }


def test_probabilities_of_several_classes_are_lists(lake: Lake) -> None:
    schema = FeatureSchema(columns=(), target="kind", task=Task.MULTICLASS, classes=("a", "b"))
    row = {
        "prediction_id": "1",
        "version": 1,
        "timestamp": NOON,
        "predicted_at": NOON,
        "y_pred": "b",
        "y_pred_proba": [0.25, 0.75],
        "served_by": "champion",
        "writer": "spool",
        "sequence": 17,
    }
    wanted = pa.schema([field for field in prediction_schema(schema) if field.name != "day"])
    rows = pa.Table.from_pylist([row], schema=wanted)

    append(lake, rows, sequence=20)
    append(lake, rows, sequence=21)

    found = query(only(lake.predictions("flights")), "y_pred_proba, writer, sequence")
    assert found == [([0.25, 0.75], "spool", 17)] * 2


def test_only_the_files_of_the_days_asked_for_are_read(lake: Lake) -> None:
    append(lake, predictions(NOON, NOON + DAY, NOON + 2 * DAY))
    table = only(lake.predictions("flights"))

    assert table.days() == [date(2013, 6, 1), date(2013, 6, 2), date(2013, 6, 3)]
    assert len(table.files()) == 3
    assert len(table.files([date(2013, 6, 2), date(2013, 6, 9)])) == 1
    assert query(table, "day", [date(2013, 6, 2)]) == [(date(2013, 6, 2),)]
    assert table.files([]) == []
    assert table.files([date(2013, 6, 9)]) == []


def test_the_day_is_that_of_event_time_in_utc(lake: Lake) -> None:
    midnight = datetime(2013, 6, 2, tzinfo=UTC)
    moments = [
        midnight - timedelta(microseconds=1),
        midnight,
        datetime(1969, 12, 31, 23, tzinfo=UTC),
    ]
    append(lake, predictions(*moments))

    table = only(lake.predictions("flights"))
    assert table.days() == [date(1969, 12, 31), date(2013, 6, 1), date(2013, 6, 2)]


def test_a_batch_is_appended_once(lake: Lake) -> None:
    tries = [append(lake, predictions(NOON), sequence) for sequence in (1, 1, 2, 1)]

    assert tries == [True, False, True, False]
    assert only(lake.predictions("flights")).row_count() == 2


def test_each_writer_counts_for_itself(lake: Lake) -> None:
    assert append(lake, predictions(NOON), 5, "one")
    assert append(lake, predictions(NOON), 1, "two")


def test_each_generation_has_a_table_of_its_own(lake: Lake) -> None:
    wider = FeatureSchema(
        columns=(*SCHEMA.columns, Column(name="origin", kind=ColumnKind.CATEGORICAL)),
        target="delayed",
        task=Task.BINARY,
    )
    for generation, schema in ((10, wider), (2, SCHEMA)):
        rows = predictions(NOON, schema=schema)
        lake.append_predictions("flights", generation, rows, writer="w", sequence=1)

    assert [table.generation for table in lake.predictions("flights")] == [2, 10]


def test_a_batch_with_other_columns_is_refused(lake: Lake) -> None:
    rows = predictions(NOON)
    append(lake, rows)

    with pytest.raises(TableError, match="flights/1: carrier: the column is missing"):
        append(lake, rows.drop_columns(["carrier"]), 2)
    with pytest.raises(TableError, match="origin: the table has no such column"):
        append(lake, rows.append_column("origin", pa.array(["EWR"])), 2)
    with pytest.raises(TableError, match="distance: expected double, got string"):
        append(lake, rows.set_column(4, "distance", pa.array(["far"])), 2)
    assert only(lake.predictions("flights")).row_count() == 1


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("distance", pa.array([1], pa.int64()), "distance: expected double, string or"),
        ("distance", pa.array([None], pa.null()), "distance: expected double, string or"),
        ("version", pa.array([1], pa.int64()), "version: expected int32, got int64"),
        (
            "timestamp",
            pa.array([NOON.replace(tzinfo=None)]),
            r"timestamp: expected timestamp\[us, tz",
        ),
        ("y_pred", pa.array([0.5]), "got double and double"),
        ("prediction_id", pa.array([None], pa.string()), "row 0: prediction_id is null"),
    ],
)
def test_even_the_first_batch_must_have_the_prescribed_types(
    lake: Lake, column: str, values: pa.Array, message: str
) -> None:
    rows = predictions(NOON)
    rows = rows.set_column(rows.schema.get_field_index(column), column, values)

    with pytest.raises(TableError, match=message):
        append(lake, rows)
    assert lake.predictions("flights") == []


def test_the_order_of_columns_and_large_strings_make_no_difference(lake: Lake) -> None:
    rows = predictions(NOON)
    append(lake, rows)
    rows = rows.select(sorted(rows.schema.names))
    rows = rows.set_column(0, "carrier", rows["carrier"].cast(pa.large_string()))

    assert append(lake, rows, 2)
    assert only(lake.predictions("flights")).row_count() == 2


def test_labels_have_a_table_too(lake: Lake) -> None:
    assert lake.append_labels("flights", labels("a", "b"), writer="w", sequence=1)
    assert not lake.append_labels("flights", labels("a", "b"), writer="w", sequence=1)

    table = lake.labels("flights")
    assert table is not None
    assert query(table, "prediction_id, y_true, day") == [
        ("a", 1, date(2013, 6, 1)),
        ("b", 1, date(2013, 6, 1)),
    ]


def test_a_label_table_takes_no_other_columns(lake: Lake) -> None:
    with pytest.raises(TableError, match="note: the table has no such column"):
        lake.append_labels(
            "flights", labels("a").append_column("note", pa.array(["x"])), writer="w", sequence=1
        )
    with pytest.raises(TableError, match="y_true: expected int64, string or double, got none"):
        lake.append_labels("flights", labels("a").drop_columns(["y_true"]), writer="w", sequence=1)


def test_a_table_that_is_open_stays_as_it_was(lake: Lake) -> None:
    append(lake, predictions(NOON))
    before = only(lake.predictions("flights"))
    append(lake, predictions(NOON), 2)

    assert (before.version, before.row_count()) == (1, 1)
    assert only(lake.predictions("flights")).version == 2


def test_compaction_leaves_few_files_and_every_row(lake: Lake) -> None:
    for sequence in range(1, 6):
        append(lake, predictions(NOON, NOON + DAY), sequence)
    table = only(lake.predictions("flights"))
    before = query(table, EVERYTHING)

    assert table.compact()

    table = only(lake.predictions("flights"))
    assert len(table.files()) == 2
    assert query(table, EVERYTHING) == before
    assert not append(lake, predictions(NOON), 5)


def test_a_damaged_table_is_named(lake: Lake, root: Path) -> None:
    append(lake, predictions(NOON))
    log = root / "predictions" / "flights" / "1" / "_delta_log"
    (log / "00000000000000000000.json").write_text('{"metaData": {"id"')

    with pytest.raises(TableError, match="flights/1: the storage says: ") as caught:
        lake.predictions("flights")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ["", "..", "../up", "a/b", ".hidden", "a\n", "a b"])
def test_a_model_cannot_leave_the_lake(lake: Lake, model: str) -> None:
    with pytest.raises(InputError, match="expected letters, digits"):
        lake.labels(model)


@pytest.mark.parametrize("root", ["s3://bucket/lake/", "gs://bucket/lake", "abfss://c@a/lake"])
def test_a_lake_may_be_a_bucket(root: str) -> None:
    assert Lake(root).root == root.rstrip("/")


def test_a_folder_may_be_given_as_a_url(tmp_path: Path) -> None:
    assert Lake(f"file://{tmp_path}/a%20lake").root == f"{tmp_path}/a lake"


def test_a_lake_elsewhere_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="lake_url: expected a folder or a URL"):
        Lake("ftp://host/lake")


def shipper(*arguments: str) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("lake_shipper.py")
    return subprocess.Popen([sys.executable, str(script), *arguments])


@pytest.mark.crash
def test_a_batch_is_in_once_though_its_shipper_died_before_noting_it(tmp_path: Path) -> None:
    arguments = (str(tmp_path / "lake"), "w", "3", str(tmp_path / "notes"))
    killed = shipper(*arguments, "2")
    deadline = time.monotonic() + 60
    while not (tmp_path / "notes.committed").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    assert (tmp_path / "notes").read_text() == "1"

    assert shipper(*arguments).wait(60) == 0

    assert ids(tmp_path) == [f"w-{number}-{row}" for number in (1, 2, 3) for row in range(5)]


@pytest.mark.crash
def test_no_batch_is_lost_or_doubled_whenever_the_shipper_is_killed(tmp_path: Path) -> None:
    arguments = (str(tmp_path / "lake"), "w", "12", str(tmp_path / "notes"))
    for patience in (0.35, 0.45, 0.55, 0.65):
        killed = shipper(*arguments)
        time.sleep(patience)
        killed.kill()
        killed.wait()

    assert shipper(*arguments).wait(60) == 0

    found = ids(tmp_path)
    assert len(found) == len(set(found)) == 60


def test_two_processes_append_to_one_table_at_once(tmp_path: Path) -> None:
    names = ("one", "two", "three")
    running = [
        shipper(str(tmp_path / "lake"), name, "10", str(tmp_path / f"notes-{name}"))
        for name in names
    ]

    assert [process.wait(60) for process in running] == [0, 0, 0]

    found = ids(tmp_path)
    assert len(found) == len(set(found)) == 150


def ids(tmp_path: Path) -> list[object]:
    table = Lake(str(tmp_path / "lake")).labels("flights")
    assert table is not None
    return [name for (name,) in query(table, "prediction_id")]
