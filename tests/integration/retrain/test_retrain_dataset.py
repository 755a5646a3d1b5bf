"""Which labelled rows a run sees: as they were known at one moment, each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from retrain.dataset import Dataset, join, outside, read_lake, read_table
from watchkeeper.errors import TableError
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import ColumnKind
from watchkeeper.window import Window

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KINDS = {"speed": ColumnKind.NUMERICAL, "carrier": ColumnKind.CATEGORICAL}


def settings(**label: Any) -> ModelSettings:
    return ModelSettings.model_validate(
        {
            "model": "flights",
            "task": "binary",
            "owner": {"name": "on call"},
            "timestamp": "scheduled_at",
            "prediction": {"score": "s"},
            "label": {"column": "late", "delay": "2h", **label},
            "windows": {"size": "1d"},
            "tolerance": {"metric": "log_loss", "rise": "10%"},
        }
    )


def predict(lake: Lake, rows: list[tuple[str, datetime, float]], sequence: int = 1) -> None:
    identifiers, stamps, speeds = zip(*rows, strict=True)
    lake.append_predictions(
        "flights",
        1,
        pa.table(
            {
                "prediction_id": list(identifiers),
                "version": pa.array([1] * len(rows), pa.int32()),
                "timestamp": pa.array(stamps, pa.timestamp("us", tz="UTC")),
                "predicted_at": pa.array(stamps, pa.timestamp("us", tz="UTC")),
                "speed": pa.array(speeds, pa.float64()),
                "carrier": ["UA"] * len(rows),
                "y_pred": pa.array([0] * len(rows), pa.int64()),
                "y_pred_proba": pa.array([0.1] * len(rows), pa.float64()),
                "served_by": ["champion"] * len(rows),
            }
        ),
        writer="test",
        sequence=sequence,
    )


def label(lake: Lake, rows: list[tuple[str, int | None, datetime]], sequence: int = 1) -> None:
    identifiers, truths, stamps = zip(*rows, strict=True)
    moments = pa.array(stamps, pa.timestamp("us", tz="UTC"))
    lake.append_labels(
        "flights",
        pa.table(
            {
                "prediction_id": list(identifiers),
                "y_true": pa.array(truths, pa.int64()),
                "labelled_at": moments,
                "received_at": moments,
            }
        ),
        writer="test",
        sequence=sequence,
    )


def logged(lake: Lake, *, now: datetime, after: datetime | None = None) -> Dataset:
    return read_lake(lake, settings(), KINDS, after=after, now=now)[0]


def test_an_empty_lake_gives_no_rows(tmp_path: Path) -> None:
    rows, versions = read_lake(Lake(str(tmp_path)), settings(), KINDS, after=None, now=NOON)

    assert len(rows) == 0
    assert versions == {}
    assert list(rows.features.columns) == ["speed", "carrier"]


def test_only_mature_labels_count_and_corrections_win(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    predict(lake, [(f"p{n}", NOON - n * HOUR, float(n)) for n in range(6)])
    label(lake, [(f"p{n}", 0, NOON - n * HOUR + HOUR / 2) for n in range(6)])
    label(lake, [("p4", 1, NOON - HOUR), ("p5", None, NOON - HOUR)], sequence=2)
    label(lake, [("p3", 1, NOON + HOUR), ("unknown", 1, NOON - HOUR)], sequence=3)

    rows = logged(lake, now=NOON)

    # p0 and p1 are too young; p5 was taken back; the correction of p3 is not known yet.
    assert rows.features["speed"].tolist() == [4.0, 3.0, 2.0]
    assert rows.label.tolist() == [1, 0, 0]
    assert rows.label.dtype == "int64"
    assert rows.features["carrier"].tolist() == ["UA"] * 3


def test_a_repeated_prediction_counts_once(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    predict(lake, [("p", NOON - 5 * HOUR, 1.0)])
    predict(lake, [("p", NOON - 4 * HOUR, 2.0)], sequence=2)
    label(lake, [("p", 1, NOON - HOUR)])

    assert logged(lake, now=NOON).features["speed"].tolist() == [1.0]


def test_rows_that_the_table_may_hold_are_left_out(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    predict(lake, [("a", NOON - 5 * HOUR, 1.0), ("b", NOON - 4 * HOUR, 2.0)])
    label(lake, [("a", 1, NOON - HOUR), ("b", 1, NOON - HOUR)])

    after = NOON - 5 * HOUR
    assert logged(lake, now=NOON, after=after).features["speed"].tolist() == [2.0]


def table(path: Path, **columns: Any) -> str:
    data: dict[str, Any] = {
        "scheduled_at": [NOON - 5 * HOUR, NOON - 4 * HOUR, NOON - HOUR],
        "speed": [1.0, float("nan"), 3.0],
        "carrier": ["UA", None, "AA"],
        "late": [1.0, float("nan"), 0.0],
    }
    pd.DataFrame(data | columns).to_parquet(path / "rows.parquet")
    return str(path / "rows.parquet")


def test_a_table_is_cut_to_its_mature_labelled_rows(tmp_path: Path) -> None:
    rows, kinds = read_table(table(tmp_path), settings(), NOON)

    assert kinds == KINDS
    assert rows.features["speed"].tolist() == [1.0]
    assert rows.label.tolist() == [1]
    later, _ = read_table(table(tmp_path), settings(), NOON + HOUR)
    assert later.label.tolist() == [1, 0]


def test_a_column_says_when_each_label_was_known(tmp_path: Path) -> None:
    known = [NOON + HOUR, NOON, NOON - HOUR]
    path = table(tmp_path, known_at=known, late=[1, 1, 0])
    model = settings(available_at="known_at", delay="1h")

    rows, kinds = read_table(path, model, NOON)

    assert kinds == KINDS
    assert rows.label.tolist() == [1, 0]


def test_naive_timestamps_and_text_are_utc(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "scheduled_at,speed,carrier,late\n2013-06-01 07:00:00,1,UA,1\n2013-06-01 08:00:00,2,AA,0\n"
    )
    rows, _ = read_table(str(tmp_path / "rows.csv"), settings(), NOON)

    assert rows.timestamps.tolist() == [
        pd.Timestamp("2013-06-01T07:00Z"),
        pd.Timestamp("2013-06-01T08:00Z"),
    ]


def test_a_table_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"scheduled_at": [NOON], "speed": [1.0]}).to_parquet(path)

    with pytest.raises(TableError, match=r"rows\.parquet: no column 'late'"):
        read_table(str(path), settings(), NOON)


def test_rows_are_joined_in_order_of_time_and_quarantine_is_cut_out(tmp_path: Path) -> None:
    rows, _ = read_table(table(tmp_path), settings(), NOON + HOUR)
    both = join(rows, rows)

    assert both.timestamps.is_monotonic_increasing
    assert len(both) == 4
    window = Window(start=NOON - HOUR, end=NOON)
    assert outside(both, [window]).features["speed"].tolist() == [1.0, 1.0]
    assert len(both.between(NOON - HOUR, NOON)) == 2
    assert both.rows_per_day(settings().windows.timezone) == {NOON.date(): 4}
