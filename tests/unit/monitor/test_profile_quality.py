"""What the checks of data quality need is counted exactly, merges, and may be unknown."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from monitor.edges import fit_bins
from monitor.profiles.bins import ProfileBins
from monitor.profiles.connection import connect
from monitor.profiles.model import Profile
from monitor.profiles.quality_counts import PER_COLUMN, QualityCounts
from monitor.profiles.query import profile_rows
from watchkeeper.schema import Column, ColumnKind, Task

START = datetime(2013, 6, 1, tzinfo=UTC)
COLUMNS = [
    Column(name="price", kind=ColumnKind.NUMERICAL),
    Column(name="size", kind=ColumnKind.NUMERICAL),
    Column(name="shop", kind=ColumnKind.CATEGORICAL),
]


@st.composite
def counts(draw: st.DrawFn) -> QualityCounts | None:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if draw(st.integers(0, 9)) == 0:
        return None
    return QualityCounts(
        columns=rng.integers(0, 10**9, (len(PER_COLUMN), 3)),
        hours=rng.integers(0, 10**9, 24),
        copies=int(rng.integers(0, 9)),
    )


def same(one: QualityCounts | None, other: QualityCounts | None) -> None:
    assert (one is None) is (other is None)
    if one is not None and other is not None:
        assert_array_equal(one.columns, other.columns)
        assert_array_equal(one.hours, other.hours)
        assert one.copies == other.copies


@given(counts(), counts(), counts())
def test_grouping_and_order_of_merges_do_not_matter(
    a: QualityCounts | None, b: QualityCounts | None, c: QualityCounts | None
) -> None:
    merge = QualityCounts.merge
    same(merge([merge([a, b], 3), c], 3), merge([a, merge([c, b], 3)], 3))
    same(merge([a, QualityCounts.empty(3)], 3), a)


def shop(rows: int = 1_000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "timestamp": START + pd.to_timedelta(rng.integers(0, 7200, rows), unit="s"),
            "price": np.round(rng.uniform(0.01, 100, rows), 2),
            "size": rng.integers(1, 300, rows).astype(float),
            "shop": rng.choice(["a", "b"], rows),
            "y_pred": 0,
            "y_true": 1,
        }
    )


BINS = ProfileBins(columns=fit_bins(shop(), COLUMNS), task=Task.BINARY, classes=("0", "1"))


def profiled(frame: pd.DataFrame, tile: timedelta = timedelta(hours=1)) -> list[Profile]:
    with connect() as connection:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        at = table.column("timestamp").cast(pa.timestamp("us", tz="UTC"))
        table = table.set_column(table.column_names.index("timestamp"), "timestamp", at)
        return list(profile_rows(connection, connection.arrow(table), BINS, tile).values())


def whole(frame: pd.DataFrame) -> Profile:
    return Profile.merge(profiled(frame), BINS.layout)


def test_decimals_below_and_above_the_usual_are_counted() -> None:
    frame = shop()
    usual = whole(frame).column("price").quality
    assert usual is not None
    tenths = int((np.abs(frame.price * 10 - np.round(frame.price * 10)) < 1e-6).sum())
    assert (usual.coarse, usual.fine) == (tenths, 0)
    cut = whole(frame.assign(price=np.trunc(frame.price), size=frame["size"] * 1.609344))
    price, size = cut.column("price").quality, cut.column("size").quality
    assert price is not None
    assert size is not None
    assert price.coarse == 1_000
    assert size.fine > 990


def test_values_below_zero_and_far_outside_are_counted() -> None:
    frame = shop()
    frame.loc[:9, "price"] = -1.0
    frame.loc[10:14, "price"] = 450.0
    quality = whole(frame).column("price").quality
    assert quality is not None
    assert (quality.negative, quality.extreme) == (10, 5)


def test_text_where_a_number_should_be_is_counted_and_is_no_null() -> None:
    frame = shop()
    frame["price"] = [f"{v:.2f}".replace(".", ",") for v in frame.price]
    frame.loc[:99, "price"] = "12.50"
    frame.loc[100:109, "price"] = None
    column = whole(frame).column("price")
    assert column.quality is not None
    assert whole(frame.assign(price="n/a")).column("price").values == 0
    assert (column.quality.mistyped, column.null, column.values) == (890, 10, 990)


def test_a_column_that_the_source_lacks_is_absent() -> None:
    column = whole(shop().drop(columns="size")).column("size")
    assert column.quality is not None
    assert (column.quality.absent, column.null, column.values) == (1_000, 1_000, 0)


def test_copies_and_hours_are_counted() -> None:
    frame = shop()
    profile = whole(pd.concat([frame, frame.head(200)]))
    habit = whole(frame).quality
    assert profile.quality is not None
    assert habit is not None
    assert profile.quality.copies == habit.copies + 200
    assert profile.quality.hours[:3].sum() == profile.quality.hours.sum() == 1_200
    assert profile.quality.hours[2] == 0


def test_few_different_values_are_counted_exactly() -> None:
    profile = profiled(shop(), timedelta(days=1))[0]
    size, name = profile.column("size").quality, profile.column("shop").quality
    assert size is not None
    assert name is not None
    assert (size.distinct, name.distinct) == (shop()["size"].nunique(), 2)


def test_it_comes_back_from_bytes_and_old_bytes_are_unknown() -> None:
    profile = profiled(shop())[0]
    same(Profile.from_bytes(profile.to_bytes(), BINS.layout).quality, profile.quality)
    old = dataclasses.replace(profile, quality=None).to_bytes()
    read = Profile.from_bytes(old, BINS.layout)
    assert read.quality is None
    assert read.column("price").quality is None
    assert Profile.merge([read, profile], BINS.layout).quality is None
    assert Profile.merge([read, profile], BINS.layout).rows == 2 * profile.rows
