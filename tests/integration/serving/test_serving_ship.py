from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import Engine

from monitor.profiles.marks import DirtyTiles
from serving.model import Batch, Labels, Outputs
from serving.payload import PredictionRows, encode, encode_labels, encode_predictions
from serving.repository import UnmatchedLabels
from serving.ship import ship
from serving.spool import Payload, Spool
from watchkeeper.database import read, write
from watchkeeper.errors import TableError
from watchkeeper.lake import Lake
from watchkeeper.registry.repository import ModelVersions
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
SCHEMA = FeatureSchema(
    columns=(
        Column(name="distance", kind=ColumnKind.NUMERICAL),
        Column(name="carrier", kind=ColumnKind.CATEGORICAL, categories=("AA",)),
        Column(name="seen_at", kind=ColumnKind.DATETIME),
    ),
    target="late",
    task=Task.BINARY,
    classes=("0", "1"),
)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool", max_rows=10**6, max_bytes=10**9)
    yield spool
    spool.close()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def database(engine: Engine) -> Engine:
    return with_version(engine)


def with_version(engine: Engine, schema: FeatureSchema = SCHEMA) -> Engine:
    with write(engine) as session:
        ModelVersions(session).add(
            name="flights",
            schema=schema,
            artifact_sha256="0" * 64,
            artifact_format="onnx",
            at=NOON,
        )
    return engine


def predictions(*ids: str, at: datetime = NOON) -> Payload:
    count = len(ids)
    return encode_predictions(
        Batch(
            ids=ids,
            timestamps=[at] * count,
            columns={
                "distance": [1.5] * count,
                "carrier": ["ZZ"] * count,
                "seen_at": [None] * count,
            },
        ),
        Outputs(y_pred=[1] * count, y_pred_proba=[0.75] * count),
        SCHEMA,
        version=1,
        served_by="champion:1",
        predicted_at=at,
    )


def labels(*ids: str, y_true: int = 1, at: datetime = NOON + timedelta(days=1)) -> Payload:
    count = len(ids)
    return encode_labels(
        Labels(ids=ids, y_true=[y_true] * count, labelled_at=[at] * count),
        version=1,
        received_at=at,
    )


def rows_of(lake: Lake, kind: str = "predictions") -> list[dict[str, Any]]:
    tables = lake.predictions("flights") if kind == "predictions" else [lake.labels("flights")]
    files = [file for table in tables if table is not None for file in table.files()]
    if not files:
        return []
    found = duckdb.read_parquet(files, hive_partitioning=True).order("sequence, prediction_id")
    rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    return rows


def waiting(engine: Engine) -> tuple[list[datetime], int]:
    with read(engine) as session:
        marks = DirtyTiles(session)
        return [t.tile_start for t in marks.take("flights")], len(marks.take_labels("flights"))


def unmatched(engine: Engine) -> int:
    with read(engine) as session:
        return UnmatchedLabels(session).counts().get("flights", 0)


def test_predictions_reach_the_lake_and_mark_their_hours(
    spool: Spool, lake: Lake, database: Engine
) -> None:
    spool.append("predictions", "flights", 1, predictions("a", "b"))
    spool.append("predictions", "flights", 1, predictions("c", at=NOON + timedelta(minutes=90)))

    done = ship(spool, lake, database, now=NOON)

    assert (done.predictions, done.labels, done.buried, done.problems) == (3, 0, 0, [])
    first, *_, last = rows_of(lake)
    assert first["prediction_id"] == "a"
    assert (first["distance"], first["carrier"], first["seen_at"]) == (1.5, "ZZ", None)
    assert (first["y_pred"], first["y_pred_proba"]) == (1, 0.75)
    assert (first["version"], first["served_by"], first["writer"]) == (
        1,
        "champion:1",
        spool.writer,
    )
    assert last["prediction_id"] == "c"
    assert waiting(database)[0] == [NOON, NOON + timedelta(hours=1)]
    assert spool.depth().rows == 0
    assert ship(spool, lake, database, now=NOON).predictions == 0


def test_a_prediction_that_is_sent_again_is_kept_once(
    spool: Spool, lake: Lake, sqlite_engine: Engine
) -> None:
    engine = with_version(sqlite_engine)
    spool.append("predictions", "flights", 1, predictions("a"))
    spool.append("predictions", "flights", 1, predictions("a", "b"))
    ship(spool, lake, engine, now=NOON)
    spool.append("predictions", "flights", 1, predictions("b", "c", at=NOON + timedelta(hours=13)))
    ship(spool, lake, engine, now=NOON)

    assert [row["prediction_id"] for row in rows_of(lake)] == ["a", "b", "c"]


def test_labels_reach_the_lake_and_are_noted_for_the_monitor(
    spool: Spool, lake: Lake, database: Engine
) -> None:
    spool.append("labels", "flights", 0, labels("a", "b"))
    spool.append("predictions", "flights", 1, predictions("a", "b"))

    done = ship(spool, lake, database, now=NOON)

    assert done.labels == 2
    assert [row["y_true"] for row in rows_of(lake, "labels")] == [1, 1]
    assert waiting(database) == ([NOON], 1)
    assert unmatched(database) == 0


def test_the_same_label_twice_changes_nothing(
    spool: Spool, lake: Lake, sqlite_engine: Engine
) -> None:
    engine = with_version(sqlite_engine)
    for _ in range(3):
        spool.append("labels", "flights", 0, labels("a"))
        ship(spool, lake, engine, now=NOON)

    assert len(rows_of(lake, "labels")) == 1
    assert waiting(engine)[1] == 1


def test_a_corrected_label_is_added_and_noted_again(
    spool: Spool, lake: Lake, sqlite_engine: Engine
) -> None:
    engine = with_version(sqlite_engine)
    spool.append("labels", "flights", 0, labels("a", y_true=1))
    ship(spool, lake, engine, now=NOON)
    later = NOON + timedelta(days=2)
    spool.append("labels", "flights", 0, labels("a", y_true=0, at=later))
    spool.append("labels", "flights", 0, labels("a", y_true=1, at=NOON))
    ship(spool, lake, engine, now=NOON)

    assert [(r["y_true"], r["labelled_at"]) for r in rows_of(lake, "labels")][-1] == (0, later)
    assert len(rows_of(lake, "labels")) == 2
    assert waiting(engine)[1] == 2


def test_a_label_without_a_prediction_is_kept_and_counted_until_it_comes(
    spool: Spool, lake: Lake, database: Engine
) -> None:
    spool.append("predictions", "flights", 1, predictions("a", at=NOON - timedelta(days=200)))
    spool.append("labels", "flights", 0, labels("a", "b", "c"))
    ship(spool, lake, database, now=NOON)
    assert unmatched(database) == 2
    assert len(rows_of(lake, "labels")) == 3

    spool.append("predictions", "flights", 1, predictions("b"))
    ship(spool, lake, database, now=NOON)

    assert unmatched(database) == 1
    assert NOON in waiting(database)[0]


def test_what_the_lake_can_never_take_is_set_aside_and_blocks_nothing(
    spool: Spool, lake: Lake, sqlite_engine: Engine
) -> None:
    engine = with_version(sqlite_engine)
    good = predictions("a", "b", "c", "d", "e")
    rows = PredictionRows(
        1,
        "x",
        0,
        ["p", "q", "r"],
        [0, 0, 0],
        [[1.0, "no number", 1.0], ["A"] * 3, [None] * 3],
        [1] * 3,
        [0.5] * 3,
    )
    for payload in (good, encode(rows), Payload(rows=1, content=b"\xc1"), predictions("z")):
        spool.append("predictions", "flights", 1, payload)
    spool.append("labels", "flights", 0, labels("a"))

    done = ship(spool, lake, engine, now=NOON)

    assert {r["prediction_id"] for r in rows_of(lake)} == {"a", "b", "c", "d", "e", "p", "r", "z"}
    assert done.labels == 1
    assert done.buried == spool.depth().dead_letters == 2
    assert spool.depth().rows == 0
    assert len(spool.reasons()) == 2


def test_a_version_that_is_not_registered_is_set_aside(
    spool: Spool, lake: Lake, sqlite_engine: Engine
) -> None:
    spool.append("predictions", "flights", 1, predictions("a"))

    ship(spool, lake, sqlite_engine, now=NOON)

    assert spool.reasons() == ["no model 'flights'; there is: none yet"]


def test_trouble_with_the_storage_leaves_all_in_the_spool_for_the_next_pass(
    spool: Spool, tmp_path: Path, sqlite_engine: Engine
) -> None:
    engine = with_version(sqlite_engine)
    (tmp_path / "lake").write_text("a file where the folder should be")
    spool.append("predictions", "flights", 1, predictions("a"))
    spool.append("predictions", "flights", 1, predictions("b"))

    done = ship(spool, Lake(str(tmp_path / "lake")), engine, now=NOON)
    assert "predictions of flights wait in the spool" in done.problems[0]
    assert (done.buried, spool.depth().rows) == (0, 2)

    (tmp_path / "lake").unlink()
    assert ship(spool, Lake(str(tmp_path / "lake")), engine, now=NOON).predictions == 2
    assert spool.depth().rows == 0


def test_no_batch_overtakes_one_that_waits(spool: Spool, lake: Lake, sqlite_engine: Engine) -> None:
    class Failing(Lake):
        def append_predictions(self, *args: Any, **more: Any) -> bool:
            if more["sequence"] == 1:
                raise TableError("the storage says: no", table="t") from OSError("no")
            return super().append_predictions(*args, **more)

    engine = with_version(sqlite_engine)
    spool.append("predictions", "flights", 1, predictions("a"))
    spool.bind()
    spool.append("predictions", "flights", 1, predictions("b"))

    ship(spool, Failing(lake.root), engine, now=NOON)
    assert rows_of(lake) == []

    ship(spool, lake, engine, now=NOON)
    assert [row["prediction_id"] for row in rows_of(lake)] == ["a", "b"]


STEPS = [
    "Lake.append_predictions before",
    "Lake.append_predictions after",
    "Lake.append_labels before",
    "Lake.append_labels after",
    "UnmatchedLabels.discard before",
    "UnmatchedLabels.discard after",
    "UnmatchedLabels.add after",
    "Spool.acknowledge before",
    "Spool.acknowledge after",
    "Spool.bind after",
]


@pytest.mark.crash
def test_each_record_arrives_once_though_the_process_is_killed_at_every_step(
    tmp_path: Path, sqlite_url: str, sqlite_engine: Engine
) -> None:
    engine = with_version(sqlite_engine)
    lake = Lake(str(tmp_path / "lake"))
    for number in range(len(STEPS)):
        # Each child starts with what its predecessors left, and brings this of its own.
        folder = tmp_path / "requests" / str(number)
        folder.mkdir(parents=True)
        folder.joinpath("predictions").write_bytes(predictions(f"p{number}", f"q{number}").content)
        folder.joinpath("labels").write_bytes(labels(f"p{number}", f"later{number}").content)

    subprocess.run(
        [
            sys.executable,
            Path(__file__).with_name("spool_shipper.py"),
            tmp_path,
            sqlite_url,
            *STEPS,
        ],
        check=True,
    )
    spool = Spool(tmp_path / "spool", max_rows=10**6, max_bytes=10**9)
    ship(spool, lake, engine, now=NOON)

    expected = sorted(f"{letter}{i}" for letter in "pq" for i in range(len(STEPS)))
    assert sorted(row["prediction_id"] for row in rows_of(lake)) == expected
    expected = sorted(f"{word}{i}" for word in ("p", "later") for i in range(len(STEPS)))
    assert sorted(row["prediction_id"] for row in rows_of(lake, "labels")) == expected
    assert unmatched(engine) == len(STEPS)
    tiles, noted = waiting(engine)
    assert tiles == [NOON]
    assert noted == len({row["sequence"] for row in rows_of(lake, "labels")})
    assert spool.depth().rows == 0
    spool.close()


def test_an_empty_list_of_probabilities_is_stored_as_null(
    spool: Spool, lake: Lake, sqlite_engine: Engine
) -> None:
    engine = with_version(sqlite_engine)
    rows = PredictionRows(1, "elsewhere", 0, ["p"], [0], [[1.0], ["A"], [None]], [1], None)
    spool.append("predictions", "flights", 1, encode(rows))

    ship(spool, lake, engine, now=NOON)

    assert rows_of(lake)[0]["y_pred_proba"] is None
