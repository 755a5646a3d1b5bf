"""Scores of all rows are counted, whether or not their labels have come."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from monitor.performance.scores import BINS, bin_of
from monitor.profiles.bins import ProfileBins
from monitor.profiles.connection import Connection
from monitor.profiles.model import Profile
from monitor.profiles.query import HOUR, profile_rows
from monitor.profiles.score_cells import CLASS_BINS
from watchkeeper.schema import Task

CLASSES = ("fog", "rain", "sun")


def profiled(columns: dict[str, object], task: Task) -> Profile:
    n = len(next(iter(columns.values())))  # type: ignore[arg-type]
    times = pa.array(np.arange(n) * 1_000_000, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    table = pa.table({"timestamp": times, "y_true": pa.nulls(n, pa.int64()), **columns})
    classes = CLASSES if task is Task.MULTICLASS else ()
    bins = ProfileBins(columns={}, task=task, classes=classes)
    connection = Connection(duckdb.connect(config={"threads": 1}))
    tiles = profile_rows(connection, connection.arrow(table), bins, HOUR)
    return Profile.merge(tiles.values(), bins.layout)


def test_rows_without_a_label_are_counted_by_score_and_predicted_class() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(2000)
    guess = (score > 0.3).astype(np.int64)
    given = pa.array(np.r_[score, np.nan, 1.5])
    found = profiled({"y_pred": np.r_[guess, 1, 1], "y_pred_proba": given}, Task.BINARY).scores
    expected = np.bincount(guess * BINS + bin_of(score), minlength=2 * BINS)
    assert found is not None
    assert_array_equal(found, expected)


def test_each_class_has_its_own_counts() -> None:
    rng = np.random.default_rng(1)
    chance = rng.dirichlet([1, 1, 1], 1000)
    guess = chance.argmax(axis=1)
    columns = {"y_pred": np.array(CLASSES)[guess], "y_pred_proba": pa.array(chance.tolist())}
    found = profiled(columns, Task.MULTICLASS).scores
    assert found is not None
    by_class = found.reshape(3, 2, CLASS_BINS)
    place = np.minimum(np.floor(chance * CLASS_BINS), CLASS_BINS - 1).astype(int)
    for k in range(3):
        for guessed in (0, 1):
            chosen = place[(guess == k) == guessed, k]
            assert_array_equal(by_class[k, guessed], np.bincount(chosen, minlength=CLASS_BINS))


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS])
def test_a_model_without_scores_has_none_counted(task: Task) -> None:
    guess: object = np.array([0, 1]) if task is Task.BINARY else np.array(["fog", "sun"])
    found = profiled({"y_pred": guess}, task).scores
    assert found is not None
    assert found.sum() == 0
