"""Any table is read as the prediction log, and what cannot be read is refused with its place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitor.profiles.model import Profile
from monitor.reference import fit_reference, profile_frame
from monitor.sources.checking import check_table
from monitor.sources.counts import tile_counts, with_label_delay
from monitor.sources.pieces import Piece, pieces_of_window
from monitor.sources.rows import TableRows
from monitor.sources.schema import read_schema
from monitor.sources.windows import split_reference
from monitor.tables import Tables
from watchkeeper.errors import InputError, TableError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import ColumnKind

START = datetime(2013, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINIMUM: dict[str, Any] = {
    "model": "flights",
    "task": "binary",
    "owner": {"name": "Flight models on call"},
    "timestamp": "scheduled_at",
    "prediction": {"score": "chance"},
    "label": {"column": "late"},
    "windows": {"size": "1d"},
    "tolerance": {"metric": "roc_auc", "drop": 0.02},
}


def settings_of(**changes: Any) -> ModelSettings:
    return ModelSettings.model_validate({**MINIMUM, **changes})


def flights(rows: int = 400, *, hours: int = 72) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    chance = rng.beta(2, 5, rows)
    times = pd.to_datetime(START.replace(tzinfo=None)) + pd.to_timedelta(
        np.sort(rng.integers(0, hours * 3600, rows)), unit="s"
    )
    return pd.DataFrame(
        {
            "scheduled_at": times,
            "distance": rng.normal(1000, 300, rows),
            "gust": np.where(rng.random(rows) < 0.5, np.nan, rng.exponential(9, rows)),
            "carrier": rng.choice(np.array(["AA", "B6"], dtype=object), rows),
            "chance": chance,
            "late": (rng.random(rows) < chance).astype(np.int64),
        }
    )


@pytest.fixture
def tables() -> Iterator[Tables]:
    with Tables() as opened:
        yield opened


def written(frame: pd.DataFrame, folder: Path, name: str = "log.parquet") -> str:
    path = folder / name
    frame.to_csv(path, index=False) if name.endswith("csv") else frame.to_parquet(path, index=False)
    return str(path)


def whole(tables: Tables, path: str, settings: ModelSettings, **known: Any) -> Profile:
    """Profile a whole table on the bins of itself."""
    table = tables.open(path)
    schema = read_schema(tables, table, settings).features
    rows = TableRows(tables=tables, table=table, settings=settings, schema=schema)
    reference = rows.fit_reference()
    tiles = tile_counts(tables, table, settings)
    pieces = [Piece(start=t.start, tiles=(t.start,), **known) for t in tiles]
    parts = [each for part in rows.profiles(reference.bins, pieces) for each in part.values()]
    return Profile.merge(parts, reference.bins.layout)


def test_features_are_every_other_column_with_its_own_kind(tables: Tables, tmp_path: Path) -> None:
    frame = flights()
    frame["id"] = np.arange(len(frame)) + 7
    frame["prediction_id"] = [f"p{k}" for k in range(len(frame))]
    frame["landed_at"] = frame.scheduled_at + pd.Timedelta(hours=3)
    frame["remark"] = [f"note number {k}" for k in range(len(frame))]
    frame["weekend"] = frame.distance > 1000
    frame["y_pred"] = 1
    table = tables.open(written(frame, tmp_path))

    found = read_schema(tables, table, settings_of(exclude=["gust"]))

    kinds = {column.name: column.kind for column in found.features.columns}
    assert kinds == {
        "distance": ColumnKind.NUMERICAL,
        "carrier": ColumnKind.CATEGORICAL,
        "remark": ColumnKind.TEXT,
        "weekend": ColumnKind.CATEGORICAL,
    }
    assert found.left_out.keys() == {"id", "landed_at"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"segments": ["carier"]}, "no column 'carier', named by `segments` of model"),
        (
            {"features": {"carrier": "numerical"}},
            "column carrier: `features` says numerical, but no value of .* reads as a number",
        ),
    ],
)
def test_what_the_file_says_of_columns_must_be_so(
    tables: Tables, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    table = tables.open(written(flights(), tmp_path))
    with pytest.raises(TableError, match=said):
        read_schema(tables, table, settings_of(**changes))


def test_a_log_that_is_too_short_says_so_in_its_own_windows() -> None:
    by_rows = settings_of(windows={"size": "9000 rows"})
    with pytest.raises(InputError, match=r"0 windows of 9,000 rows; the first fifth"):
        split_reference([], settings_of(), asked=by_rows)


def test_a_table_counts_exactly_what_the_log_would_count(tables: Tables, tmp_path: Path) -> None:
    frame, settings = flights(), settings_of()
    table = tables.open(written(frame, tmp_path))
    schema = read_schema(tables, table, settings).features
    arguments: dict[str, Any] = {
        "schema": schema,
        "settings": settings,
        "timestamps": frame.scheduled_at.dt.tz_localize("UTC"),
        "y_pred": (frame.chance >= 0.5).astype(int),
        "y_pred_proba": frame.chance,
        "y_true": frame.late,
    }
    reference = fit_reference(frame, **arguments)
    expected = profile_frame(frame, reference, **arguments)

    rows = TableRows(tables=tables, table=table, settings=settings, schema=schema)
    pieces = [Piece(start=start, tiles=(start,)) for start in expected]
    (found,) = rows.profiles(reference.bins, pieces)

    assert found.keys() == expected.keys()
    for start, profile in expected.items():
        assert found[start].rows == profile.rows
        assert (found[start].cells == profile.cells).all()
        assert (found[start].outcomes.counts == profile.outcomes.counts).all()
    assert rows.fit_reference().bins == reference.bins


@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_naive_times_are_utc_whatever_the_file(tables: Tables, tmp_path: Path, name: str) -> None:
    frame, settings = flights(), settings_of()
    aware = frame.assign(scheduled_at=frame.scheduled_at.dt.tz_localize("UTC"))
    text = frame.assign(scheduled_at=frame.scheduled_at.dt.strftime("%Y-%m-%dT%H:%M:%S"))
    counts = [
        tile_counts(tables, tables.open(written(each, tmp_path, f"{k}-{name}")), settings)
        for k, each in enumerate((frame, aware, text))
    ]
    assert counts[0] == counts[1] == counts[2]
    assert counts[0][0].start == START


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ([True, False], {}),
        ([1.0, 0.0], {}),
        (["1", "0"], {}),
        (["True", "false"], {}),
        (["yes", "no"], {"positive": "yes"}),
        ([7, 3], {"positive": 7}),
    ],
)
def test_the_positive_class_may_be_written_in_many_ways(
    tables: Tables, tmp_path: Path, values: list[Any], label: dict[str, Any]
) -> None:
    frame = flights()
    expected = whole(tables, written(frame, tmp_path), settings_of())
    said = pd.Series(np.where(frame.late == 1, 0, 1)).map(dict(enumerate(values)))
    settings = settings_of(label={"column": "late", **label})
    path = written(frame.assign(late=said), tmp_path, "other.parquet")
    check_table(tables, tables.open(path), settings)
    found = whole(tables, path, settings)
    assert (found.outcomes.counts == expected.outcomes.counts).all()


def test_a_null_or_nan_label_is_no_label(tables: Tables, tmp_path: Path) -> None:
    frame = flights()
    frame["late"] = frame.late.astype(float).where(np.arange(len(frame)) % 4 > 0)
    found = whole(tables, written(frame, tmp_path), settings_of())
    assert (found.rows, found.labels) == (400, 300)


def test_labels_count_when_they_are_known(tables: Tables, tmp_path: Path) -> None:
    frame = flights()
    frame["known_at"] = frame.scheduled_at + pd.Timedelta(hours=30)
    path = written(frame, tmp_path)
    middle = START + timedelta(hours=48)
    early = int((frame.scheduled_at <= middle.replace(tzinfo=None) - timedelta(hours=30)).sum())
    by_delay = settings_of(label={"column": "late", "delay": "30h"})
    by_column = settings_of(label={"column": "late", "available_at": "known_at"})
    for settings in (by_delay, by_column):
        assert whole(tables, path, settings, known_until=middle).labels == early
        assert whole(tables, path, settings).labels == 400
    table = tables.open(path)
    assert with_label_delay(tables, table, by_column).label.delay == timedelta(hours=30)
    assert with_label_delay(tables, table, by_delay) is by_delay


def test_classes_of_many_and_their_scores(tables: Tables, tmp_path: Path) -> None:
    frame = flights()
    rng = np.random.default_rng(2)
    scores = rng.dirichlet([1, 1, 1], len(frame))
    frame["said"] = scores.argmax(axis=1)
    frame["late"] = rng.integers(0, 3, len(frame)).astype(float)
    for k in range(3):
        frame[f"p{k}"] = scores[:, k]
    base = {"task": "multiclass", "tolerance": {"metric": "accuracy", "drop": 0.05}}
    scored = {"label": "said", "scores": {"0": "p0", "1": "p1", "2": "p2"}}
    path = written(frame.drop(columns="chance"), tmp_path)
    for prediction in ({"label": "said"}, scored):
        settings = settings_of(**base, prediction=prediction)
        check_table(tables, tables.open(path), settings)
        found = whole(tables, path, settings)
        agree = int(found.outcomes.by_class(2).sum())
        assert agree == int((frame.said == frame.late).sum())
        assert found.outcomes.sum_of("scored") == (400 if "scores" in prediction else 0)


def test_a_prediction_that_is_no_number_has_no_error(tables: Tables, tmp_path: Path) -> None:
    frame = flights().rename(columns={"chance": "minutes"})
    frame.loc[3, "minutes"] = np.inf
    frame.loc[4, "minutes"] = np.nan
    settings = settings_of(
        task="regression",
        prediction={"value": "minutes"},
        tolerance={"metric": "mae", "rise": "10%"},
    )
    path = written(frame, tmp_path)
    check_table(tables, tables.open(path), settings)
    found = whole(tables, path, settings)
    assert (found.rows, found.labels) == (400, 398)
    assert np.isfinite(found.outcomes.sums).all()


def test_a_day_of_25_hours_is_one_piece(tables: Tables, tmp_path: Path) -> None:
    settings = settings_of(windows={"size": "7d", "timezone": "America/New_York"})
    first = datetime(2013, 10, 28, 4, tzinfo=UTC)
    tiles = [first + k * HOUR for k in range(7 * 24 + 1)]
    pieces = pieces_of_window(tiles, settings.windows.timezone, None)
    assert [len(piece.tiles) for piece in pieces] == [24, 24, 24, 24, 24, 24, 25]


def broken(**changes: Any) -> pd.DataFrame:
    frame = flights().astype(dict.fromkeys(changes, object))
    for name, value in changes.items():
        frame.loc[17, name] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "settings", "said"),
    [
        (broken(scheduled_at="soon"), {}, "column scheduled_at: row 18: expected a time"),
        (broken(scheduled_at=None), {}, "column scheduled_at: row 18: expected a time"),
        (broken(scheduled_at="3013-01-01"), {}, "row 18: expected a time between 1900 and 2261"),
        (broken(chance=1.5), {}, "column chance: row 18: expected a probability from 0 to 1"),
        (broken(chance=-0.01), {}, "column chance: row 18: expected a probability"),
        (broken(late=2), {}, "column late: row 18: expected 0 or 1, false or true"),
        (
            flights().assign(late=np.arange(400) % 3),
            {"label": {"column": "late", "positive": 1}},
            "column late: 3 different labels; a binary model has two classes",
        ),
        (
            flights(),
            {"label": {"column": "late", "positive": "yes"}},
            "column late: no label is the positive one",
        ),
        (flights().rename(columns={"late": "delayed"}), {}, "no column 'late'"),
        (flights().rename(columns={"chance": "chances"}), {}, "did you mean 'chances'?"),
        (flights().head(0), {}, "the table holds no rows"),
        (flights().assign(scheduled_at=range(400)), {}, "column scheduled_at: row 1: expected"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(
    tables: Tables, tmp_path: Path, frame: pd.DataFrame, settings: dict[str, Any], said: str
) -> None:
    # Mixed values are what a CSV file holds.
    table = tables.open(written(frame, tmp_path, "log.csv"))
    with pytest.raises(TableError) as refused:
        check_table(tables, table, settings_of(**settings))
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path / "log.csv"))
    assert "\n" not in str(refused.value)
