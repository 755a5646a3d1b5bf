"""Rows on which engines could disagree: specials, ties, edges, odd strings, times of both kinds."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa
from numpy.testing import assert_allclose, assert_array_equal

from monitor.edges import fit_bins
from monitor.profiles.bins import ProfileBins, output_column
from monitor.profiles.connection import connect
from monitor.profiles.model import SPECIAL, Profile
from monitor.profiles.portable import profile_pushed_down
from monitor.profiles.query import profile_rows
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

START = datetime(2013, 6, 1, tzinfo=UTC)
TILE = timedelta(hours=6)
FEATURES = (
    Column(name="distance", kind=ColumnKind.NUMERICAL),
    Column(name="rain", kind=ColumnKind.NUMERICAL),
    Column(name="wide", kind=ColumnKind.NUMERICAL),
    Column(name="whole", kind=ColumnKind.NUMERICAL),
    Column(name="single", kind=ColumnKind.NUMERICAL),
    Column(name="written", kind=ColumnKind.NUMERICAL),
    Column(name="nothing", kind=ColumnKind.NUMERICAL),
    Column(name="carrier", kind=ColumnKind.CATEGORICAL),
    Column(name="level", kind=ColumnKind.CATEGORICAL),
    Column(name="flag", kind=ColumnKind.CATEGORICAL),
    Column(name="code", kind=ColumnKind.CATEGORICAL),
    Column(name="remark", kind=ColumnKind.TEXT),
    Column(name="built", kind=ColumnKind.DATETIME),
    Column(name="seen", kind=ColumnKind.DATETIME),
    Column(name="missing", kind=ColumnKind.NUMERICAL),
)
CLASSES = {Task.BINARY: ("0", "1"), Task.MULTICLASS: ("fog", "ra'in", "é"), Task.REGRESSION: ()}
AWARE, NAIVE = pa.timestamp("us", tz="UTC"), pa.timestamp("us")
_CARRIERS = ("AA", "aa", "", " ", "B'6", "é", "e\u0301", "back\\slash", "NaN", 'q"q', "日本")
_WRITTEN = ("1.5", " 2 ", "3,25", "-4e2", ".5", "6.", "seven", "", "1.5x", "0.1")


def nasty_rows(task: Task, n: int, *, seed: int, strange: bool = True) -> pa.Table:
    """Return rows of a model; ``strange``: with values that no reference has."""
    rng = np.random.default_rng(seed)
    times = [START + timedelta(microseconds=int(us)) for us in rng.integers(0, 86_400_000_000, n)]
    times[:3] = [START, START + TILE, START + TILE - timedelta(microseconds=1)]
    distance = np.round(rng.normal(100, 50, n), 2)
    wide = rng.standard_cauchy(n)
    if strange:
        distance[:8] = [np.inf, -np.inf, np.nan, 0.0, -0.0, 5e-324, 1e308, -1e308]
        wide[:6] = [math.nextafter(1.0, 2.0), 1e200, -1e-200, 1e-320, np.nan, 1e12 + 1 / 3]
    carriers = _CARRIERS if strange else _CARRIERS[:7]
    written = _WRITTEN if strange else _WRITTEN[:1]
    built = [START - timedelta(microseconds=int(us)) for us in rng.integers(0, 10**15, n)]
    seen = [None if rng.random() < 0.1 else time.replace(tzinfo=None) for time in built]
    nulls = rng.random(n) < 0.1
    columns = {
        "timestamp": pa.array(times, AWARE),
        "distance": pa.array(distance, mask=nulls),
        "rain": pa.array(np.where(rng.random(n) < 0.6, 0.0, rng.integers(0, 50, n) / 10)),
        "wide": pa.array(wide),
        "whole": pa.array(rng.integers(-9, 2**60 if strange else 9, n), pa.int64(), mask=nulls),
        "single": pa.array(rng.normal(0, 1, n).astype(np.float32), pa.float32()),
        "written": pa.array(rng.choice(np.array(written, object), n), pa.string()),
        "nothing": pa.nulls(n, pa.float64()),
        "carrier": pa.array(rng.choice(np.array(carriers, object), n), pa.string(), mask=nulls),
        "level": pa.array(rng.integers(0, 12 if strange else 9, n), pa.int32(), mask=nulls),
        "flag": pa.array(rng.random(n) < 0.5, pa.bool_(), mask=nulls),
        "code": pa.array([str(k) for k in rng.integers(0, 30, n)], pa.string()),
        "remark": pa.array(["日" * int(k) for k in rng.integers(0, 9, n)], pa.string()),
        "built": pa.array(built, AWARE),
        "seen": pa.array(seen, NAIVE),
    }
    if strange:
        columns["code"] = pa.array(rng.choice(np.array(_WRITTEN, object), n), pa.string())
    table = pa.table(columns | _outputs(rng, task, n))
    # Whole rows that are copies of others.
    return pa.concat_tables([table, table.slice(n // 2, n // 10)]) if strange else table


def nasty_bins(task: Task) -> ProfileBins:
    """Fit the bins on tamer rows, with segments by carrier."""
    reference = nasty_rows(task, 300, seed=1, strange=False)
    columns = reference.append_column("missing", reference["distance"])
    numbers = [1.5 + k / 4 for k in range(len(reference))]
    columns = columns.set_column(columns.schema.get_field_index("written"), "written", [numbers])
    schema = FeatureSchema(columns=FEATURES, target="y", task=task, classes=CLASSES[task])
    output = output_column(schema, scored=task is Task.BINARY)
    return ProfileBins(
        columns=fit_bins(columns, [*FEATURES, output]),
        task=task,
        classes=CLASSES[task],
        segments={"carrier": ("AA", "", "B'6"), "flag": ("true",)},
    )


def _outputs(rng: np.random.Generator, task: Task, n: int) -> dict[str, pa.Array]:
    unlabelled = rng.random(n) < 0.3
    if task is Task.REGRESSION:
        guess = rng.normal(100, 10, n)
        guess[9] = 1e160
        truth = pa.array(rng.normal(100, 20, n), mask=unlabelled)
        return {"y_pred": pa.array(guess), "y_true": truth}
    if task is Task.BINARY:
        score = rng.random(n)
        score[:7] = [np.nan, 1.0, 0.0, 1 / 64, 1 - 1 / 64, math.nextafter(1.0, 0.0), 1e-300]
        return {
            "y_pred": pa.array((score > 0.5).astype(np.int64)),
            "y_pred_proba": pa.array(score, mask=rng.random(n) < 0.02),
            "y_true": pa.array(rng.integers(0, 2, n), pa.int64(), mask=unlabelled),
        }
    chance = rng.dirichlet([1, 1, 1], n)
    names = np.array(CLASSES[task], object)
    truth = rng.choice(np.array([*CLASSES[task], "hail"], object), n)
    return {
        "y_pred": pa.array(names[chance.argmax(axis=1)], pa.string()),
        "y_pred_proba": pa.array(chance.tolist()),
        "y_true": pa.array(truth, pa.string(), mask=unlabelled),
    }


def check_same(
    backend: ibis.BaseBackend, table: ibis.Table, rows: pa.Table, bins: ProfileBins
) -> None:
    """Require that an engine and DuckDB find the same in the same rows."""
    with connect(threads=1) as connection:
        wanted = profile_rows(connection, connection.arrow(rows), bins, TILE)
    found = profile_pushed_down(backend, table, bins, TILE)
    assert sorted(found) == sorted(wanted)
    for start, profile in wanted.items():
        _check_profile(found[start], profile)
        assert set(found[start].segments) == set(profile.segments) != set()
        for segment, part in profile.segments.items():
            _check_profile(found[start].segments[segment], part)


def _check_profile(found: Profile, wanted: Profile) -> None:
    assert (found.rows, found.labels) == (wanted.rows, wanted.labels)
    for own, other in zip(found.columns(), wanted.columns(), strict=True):
        assert_array_equal(own.counts, other.counts, err_msg=own.name)
        assert own.quality == other.quality, own.name
        for name in (*SPECIAL, "minimum", "maximum"):
            assert getattr(own, name) == getattr(other, name), f"{own.name} {name}"
        # Of what was added up, for it cancels in a total.
        size = other.values * max(abs(other.minimum or 0.0), abs(other.maximum or 0.0))
        if math.isfinite(other.total_of_squares):
            size = math.sqrt(other.total_of_squares * other.values)
        tolerance = 1e-9 * min(size, 1e308)
        assert_allclose(own.total, other.total, rtol=0, atol=tolerance, err_msg=own.name)
        assert_allclose(own.total_of_squares, other.total_of_squares, rtol=1e-9, err_msg=own.name)
    assert_array_equal(found.outcomes.counts, wanted.outcomes.counts)
    assert_allclose(found.outcomes.sums, wanted.outcomes.sums, rtol=1e-9)
    assert_array_equal(found.scores, wanted.scores)
    assert found.quality is not None
    assert wanted.quality is not None
    assert_array_equal(found.quality.hours, wanted.quality.hours)
    assert found.quality.copies == wanted.quality.copies > 0 or wanted.rows < 300
