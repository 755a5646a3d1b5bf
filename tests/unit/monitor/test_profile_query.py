"""One query gives the counts that pandas gives, row for row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from monitor.edges import ColumnBins, as_numbers, count, fit_bins
from monitor.performance import from_rows
from monitor.performance.outcomes import Outcomes
from monitor.profiles.bins import ProfileBins, output_column
from monitor.profiles.connection import Connection
from monitor.profiles.label_lookup import LabelLookup
from monitor.profiles.marks import NewLabels
from monitor.profiles.model import Profile
from monitor.profiles.query import Log, profile_tiles, versions_in
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

START = datetime(2013, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = START + timedelta(days=60)
FEATURES = (
    Column(name="distance", kind=ColumnKind.NUMERICAL),
    Column(name="rain", kind=ColumnKind.NUMERICAL),
    Column(name="nothing", kind=ColumnKind.NUMERICAL),
    Column(name="carrier", kind=ColumnKind.CATEGORICAL),
    Column(name="remark", kind=ColumnKind.TEXT),
    Column(name="built", kind=ColumnKind.DATETIME),
)
CLASSES = {
    Task.BINARY: ("0", "1"),
    Task.MULTICLASS: ("fog", "rain", "sun"),
    Task.REGRESSION: (),
}


def features(rng: np.random.Generator, n: int) -> dict[str, object]:
    distance = rng.normal(100, 50, n)
    distance[rng.random(n) < 0.02] *= 100
    distance[rng.random(n) < 0.05] = np.inf
    distance[rng.random(n) < 0.05] = -np.inf
    distance[rng.random(n) < 0.05] = np.nan
    rain = np.where(rng.random(n) < 0.6, 0.0, rng.exponential(1, n))
    carrier = rng.choice(np.array(["AA", "", "B'6", "é"], dtype=object), n)
    built = pd.to_datetime(START) - pd.to_timedelta(rng.integers(0, 10**9, n), unit="s")
    nulls = rng.random(n) < 0.2
    return {
        "distance": pa.array(distance, mask=rng.random(n) < 0.1),
        "rain": pa.array(rain),
        "nothing": pa.nulls(n, pa.float64()),
        "carrier": pa.array(carrier, pa.string(), mask=nulls),
        "remark": pa.array(["ä" * int(k) for k in rng.integers(0, 9, n)], mask=nulls),
        "built": pa.array(built, pa.timestamp("us", tz="UTC")),
    }


def predictions(rng: np.random.Generator, task: Task, n: int, version: int = 1) -> pa.Table:
    times = [START + timedelta(seconds=float(s)) for s in rng.uniform(0, 2 * 86400, n)]
    outputs: dict[str, object] = {}
    if task is Task.BINARY:
        score = rng.random(n)
        score[:2] = [np.nan, 1.0]
        outputs = {"y_pred": pa.array((score > 0.5).astype(np.int64)), "y_pred_proba": score}
    elif task is Task.MULTICLASS:
        chance = rng.dirichlet([1, 1, 1], n)
        outputs = {
            "y_pred": np.array(CLASSES[task])[chance.argmax(axis=1)],
            "y_pred_proba": pa.array(chance.tolist()),
        }
    else:
        outputs = {"y_pred": rng.normal(100, 10, n)}
    return pa.table(
        {
            "prediction_id": [f"p{version}-{i}" for i in range(n)],
            "version": pa.array([version] * n, pa.int32()),
            "timestamp": pa.array(times, pa.timestamp("us", tz="UTC")),
            "predicted_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            **features(rng, n),
            **outputs,
            "served_by": ["champion"] * n,
            "writer": ["w"] * n,
            "sequence": pa.array(range(n), pa.int64()),
            "day": pa.array([t.date() for t in times]),
        }
    )


def labels(rng: np.random.Generator, task: Task, table: pa.Table) -> pa.Table:
    n = table.num_rows
    truth: object = rng.integers(0, 2, n)
    if task is Task.MULTICLASS:
        truth = rng.choice(np.array([*CLASSES[task], "hail"]), n)
    elif task is Task.REGRESSION:
        truth = rng.normal(100, 20, n)
    at = [START + timedelta(days=float(d)) for d in rng.uniform(1, 20, n)]
    everything = pa.table(
        {
            "prediction_id": table.column("prediction_id"),
            "y_true": truth,
            "labelled_at": pa.array(at, pa.timestamp("us", tz="UTC")),
            "received_at": pa.array(at, pa.timestamp("us", tz="UTC")),
            "writer": ["w"] * n,
            "sequence": pa.array(range(n), pa.int64()),
        }
    )
    return everything.filter(pa.array(rng.random(n) < 0.7))


def bins_of(table: pa.Table, task: Task) -> ProfileBins:
    schema = FeatureSchema(columns=FEATURES, target="y", task=task, classes=CLASSES[task])
    output = output_column(schema, scored=task is Task.BINARY)
    columns = fit_bins(table, [*FEATURES, output])
    # A category that the reference lacks, so that some rows are unseen.
    columns["carrier"] = ColumnBins(
        kind=ColumnKind.CATEGORICAL, categories=("", "AA", "B'6"), spacings=(1, 1, 1, 0)
    )
    return ProfileBins(columns=columns, task=task, classes=CLASSES[task])


class Given(NamedTuple):
    connection: Connection
    log: Log


def log_of(rows: pa.Table, truth: pa.Table | None) -> Given:
    connection = Connection(duckdb.connect(config={"threads": 2}))
    known = None if truth is None else connection.arrow(truth)
    return Given(connection, Log(predictions=connection.arrow(rows), labels=known))


def profile(given: Given, bins: ProfileBins, tiles: list[datetime], now: datetime = NOW) -> Profile:
    found = profile_tiles(*given, bins, version=1, tiles=tiles, tile=HOUR, now=now)
    return Profile.merge(found.values(), bins.layout)


TWO_DAYS = [START + k * HOUR for k in range(48)]


@pytest.mark.parametrize("task", Task)
def test_counts_equal_those_of_the_rows(task: Task) -> None:
    rng = np.random.default_rng(1)
    reference, rows = predictions(rng, task, 40), predictions(rng, task, 3000)
    truth = labels(rng, task, rows)
    bins = bins_of(reference, task)
    merged = profile(log_of(rows, truth), bins, TWO_DAYS)

    assert (merged.rows, merged.duplicates, merged.labels) == (3000, 0, truth.num_rows)
    for found in merged.columns():
        column = bins.columns[found.name]
        values = rows.column(found.name).combine_chunks()
        assert found.null == values.null_count
        if found.kind is ColumnKind.CATEGORICAL:
            named = pd.Series(values.cast("string").to_pylist()).value_counts()
            known = [int(named.get(name, 0)) for name in column.categories]
            assert found.counts[:-1].tolist() == known
            assert found.unseen == named.sum() - sum(known)
            continue
        numbers = as_numbers(values, found.kind)
        finite = numbers[np.isfinite(numbers)]
        assert (found.nan, found.infinite) == (np.isnan(numbers).sum(), np.isinf(numbers).sum())
        assert_array_equal(found.counts, count(finite, column.edges))
        assert found.total == pytest.approx(finite.sum(), rel=1e-9)
        if column.minimum is not None and column.maximum is not None:
            assert (found.minimum, found.maximum) == (finite.min(), finite.max())
            assert found.under == (finite < column.minimum).sum()
            assert found.over == (finite > column.maximum).sum()
            width = column.maximum - column.minimum
            far = (finite < column.minimum - width) | (finite > column.maximum + width)
            assert found.far == far.sum()
        if found.kind is ColumnKind.NUMERICAL:
            assert found.zeros == (finite == 0).sum()


@pytest.mark.parametrize("task", Task)
def test_outcomes_equal_those_of_the_rows(task: Task) -> None:
    rng = np.random.default_rng(2)
    rows = predictions(rng, task, 2000)
    truth = labels(rng, task, rows)
    known = dict(
        zip(*(truth.column(n).to_pylist() for n in ("prediction_id", "y_true")), strict=True)
    )
    joined = rows.filter(pc.is_in(rows.column("prediction_id"), pa.array(known)))
    label = [known[name] for name in joined.column("prediction_id").to_pylist()]
    guess = joined.column("y_pred").to_pylist()
    expected: Outcomes
    if task is Task.REGRESSION:
        expected = from_rows.regression(label, guess)
    else:
        score = np.array(joined.column("y_pred_proba").to_pylist())
        expected = (
            from_rows.binary(label, guess, score)
            if task is Task.BINARY
            else from_rows.multiclass(label, guess, CLASSES[task], score)
        )

    found = profile(log_of(rows, truth), bins_of(rows, task), TWO_DAYS).outcomes

    assert_array_equal(found.counts, expected.counts)
    assert_allclose(found.sums, expected.sums, rtol=1e-9)


def test_tiles_are_apart_and_only_those_asked_for_are_counted() -> None:
    rng = np.random.default_rng(3)
    rows = predictions(rng, Task.REGRESSION, 1000)
    bins = bins_of(rows, Task.REGRESSION)
    asked = [START, START + 7 * HOUR]
    found = profile_tiles(*log_of(rows, None), bins, version=1, tiles=asked, tile=HOUR, now=NOW)
    times = pd.Series(rows.column("timestamp").to_pylist()).dt.floor("h")
    assert {start: tile.rows for start, tile in found.items()} == {
        start: int((times == start).sum()) for start in asked
    }
    assert all(tile.labels == 0 for tile in found.values())


def test_a_repeated_prediction_counts_once_and_the_first_one_wins() -> None:
    rng = np.random.default_rng(4)
    rows = predictions(rng, Task.REGRESSION, 200)
    at = rows.schema.get_field_index("predicted_at")
    later = pa.array([t + HOUR for t in rows.column("predicted_at").to_pylist()])
    again = rows.set_column(at, rows.field(at), later.cast(rows.field(at).type))
    changed = again.schema.get_field_index("rain")
    again = again.set_column(changed, again.field(changed), pa.array([99.0] * 200))
    bins = bins_of(rows, Task.REGRESSION)

    once = profile(log_of(rows, None), bins, TWO_DAYS)
    twice = profile(log_of(pa.concat_tables([again, rows]), None), bins, TWO_DAYS)

    assert_array_equal(once.cells, twice.cells)
    assert (twice.rows, twice.duplicates) == (200, 200)


def test_the_newest_label_that_is_known_by_now_counts() -> None:
    rng = np.random.default_rng(5)
    rows = predictions(rng, Task.REGRESSION, 1)
    moments = [START + timedelta(days=d) for d in (2, 3, 3, 4)]
    truth = pa.table(
        {
            "prediction_id": ["p1-0"] * 4,
            "y_true": pa.array([1.0, 2.0, 3.0, None]),
            "labelled_at": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "received_at": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "writer": ["w"] * 4,
            "sequence": pa.array([9, 1, 2, 0], pa.int64()),
        }
    )
    bins, log = bins_of(rows, Task.REGRESSION), log_of(rows, truth)

    def label_at(days: float) -> float | None:
        merged = profile(log, bins, TWO_DAYS, START + timedelta(days=days))
        return float(merged.outcomes.sum_of("label")) if merged.labels else None

    assert [label_at(days) for days in (1, 2, 3, 4)] == [None, 1.0, 3.0, None]


def test_versions_are_counted_apart() -> None:
    rng = np.random.default_rng(6)
    both = pa.concat_tables(
        [predictions(rng, Task.REGRESSION, 50), predictions(rng, Task.REGRESSION, 70, version=2)]
    )
    log, bins = log_of(both, None), bins_of(both, Task.REGRESSION)
    assert versions_in(*log, TWO_DAYS, HOUR) == [1, 2]
    assert profile(log, bins, TWO_DAYS).rows == 50


def test_labels_lead_to_the_hours_of_their_predictions() -> None:
    rng = np.random.default_rng(7)
    rows = predictions(rng, Task.REGRESSION, 300)
    at = pa.array([START + timedelta(days=k % 3) for k in range(300)], rows.field("timestamp").type)
    truth = pa.table(
        {
            "prediction_id": rows.column("prediction_id"),
            "labelled_at": at,
            "writer": ["w"] * 150 + ["v"] * 150,
            "sequence": pa.array([1] * 300, pa.int64()),
        }
    )
    batch = NewLabels(
        model="m",
        writer="v",
        sequence=1,
        first_day=START.date(),
        last_day=START.date(),
        seen_until=START,
    )
    connection = Connection(duckdb.connect())
    lookup = LabelLookup(connection, connection.arrow(truth), [batch], START + timedelta(days=1))

    times = rows.column("timestamp").to_pylist()
    due = [k for k in range(150, 300) if k % 3 == 1]
    expected = {times[k].replace(minute=0, second=0, microsecond=0) for k in due}
    assert lookup.hours_in(connection.arrow(rows)) == expected
    assert lookup.done
    assert lookup.in_the_future() == {("v", 1)}


def test_a_label_without_a_prediction_is_still_looked_for() -> None:
    rows = predictions(np.random.default_rng(8), Task.REGRESSION, 3)
    truth = pa.table(
        {
            "prediction_id": ["p1-0", "nobody"],
            "labelled_at": pa.array([START] * 2, rows.field("timestamp").type),
            "writer": ["w"] * 2,
            "sequence": pa.array([1] * 2, pa.int64()),
        }
    )
    batch = NewLabels(
        model="m", writer="w", sequence=1, first_day=START.date(), last_day=START.date()
    )
    connection = Connection(duckdb.connect())
    lookup = LabelLookup(connection, connection.arrow(truth), [batch], START)
    assert len(lookup.hours_in(connection.arrow(rows))) == 1
    assert not lookup.done
