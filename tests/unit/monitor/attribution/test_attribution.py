"""A loss is traced to its segment, its kind of shift and its columns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from monitor.attribution.explain import explain
from monitor.attribution.losses import Rows, loss_for
from monitor.attribution.model import Attribution
from monitor.attribution.segments import changes, segments_of
from monitor.attribution.shift import split
from monitor.edges import fit_bins
from monitor.performance import from_rows
from monitor.performance.table import METRICS
from monitor.profiles.bins import ProfileBins
from monitor.samples import sample_of_table
from watchkeeper.schema import Column, ColumnKind, Task

COLUMNS = (
    Column(name="wind", kind=ColumnKind.NUMERICAL),
    Column(name="seats", kind=ColumnKind.NUMERICAL),
    Column(name="carrier", kind=ColumnKind.CATEGORICAL),
)


def flights(seed: int, n: int = 2000, **change: Any) -> pa.Table:
    """Rows of a model that reads wind and carrier; ``change`` breaks them before it reads them."""
    rng = np.random.default_rng(seed)
    wind = rng.normal(change.get("wind", 0.0), 1, n)
    carrier = rng.choice(np.array(["AA", "B6", "UA"], dtype=object), n)
    chance = expit(2 * wind + (carrier == "B6") - 0.5)
    truth = rng.random(n) < chance
    if "flip" in change:
        truth ^= rng.random(n) < change["flip"]
    seen = wind.copy()
    if "bad" in change:
        there = carrier == change["bad"]
        seen[there] = rng.permutation(seen)[: there.sum()]
    missing = rng.random(n) < change.get("nulls", 0.0)
    seen[missing] = 0.0
    score = expit(2 * seen + (carrier == "B6") - 0.5)
    return pa.table(
        {
            "wind": pa.array(seen, mask=missing),
            "seats": rng.integers(50, 300, n).astype(float),
            "carrier": pa.array(carrier, pa.string()),
            "y_pred": (score >= 0.5).astype(np.int64),
            "y_pred_proba": score,
            "y_true": truth.astype(np.int64),
        }
    )


REFERENCE = flights(0)
BINS = ProfileBins(columns=fit_bins(REFERENCE, list(COLUMNS)), task=Task.BINARY, classes=("0", "1"))


def explained(
    current: pa.Table, drift: dict[str, float] | None = None, metric: str = "log_loss"
) -> Attribution:
    samples = sample_of_table(REFERENCE), sample_of_table(current)
    found = explain(*samples, BINS, metric, drift or {})
    assert found is not None
    return found


def test_one_carrier_that_went_bad_is_the_first_segment() -> None:
    found = explained(flights(1, bad="UA"))
    assert (found.segments[0].column, found.segments[0].segment) == ("carrier", "UA")
    assert found.segments[0].within > 0.7 * found.change


def test_flipped_labels_are_a_change_of_labels_and_nothing_else() -> None:
    found = explained(flights(2, flip=0.2))
    assert found.shift is not None
    assert found.shift.largest == "y_given_x"
    assert found.shift.y_given_x.lower > 0.7 * found.change
    assert found.shift.overlap > 0.95


def test_rows_that_are_harder_are_a_change_of_rows() -> None:
    calm = flights(3, n=8_000)
    hard = np.abs(calm.column("wind").to_numpy()) < 0.7
    rng = np.random.default_rng(4)
    kept = calm.filter(pa.array(hard | (rng.random(8_000) < 0.15)))
    found = explained(kept)
    assert found.shift is not None
    assert found.shift.largest != "y_given_x"
    assert found.shift.y_given_x.value < 0.25 * found.change


def test_the_parts_of_a_shift_add_up_to_the_change() -> None:
    found = explained(flights(5, wind=0.7, flip=0.05))
    assert found.shift is not None
    parts = found.shift.shared_x, found.shift.y_given_x, found.shift.unseen_x
    assert sum(part.value for part in parts) == pytest.approx(found.change, abs=1e-12)
    assert all(part.lower <= part.value <= part.upper for part in parts)


def test_what_moved_and_matters_comes_before_what_only_moved() -> None:
    found = explained(flights(6, nulls=0.6), {"wind": 2.0, "seats": 2.0})
    assert found.columns[0].column == "wind"
    assert found.ranking()["wind"] > 5 * found.ranking()["seats"]
    assert "carrier" not in found.ranking()
    worst = [(each.column, each.segment) for each in found.segments[:1]]
    assert worst == [("wind", "null")]


def test_an_attribution_survives_storage() -> None:
    found = explained(flights(7, flip=0.1), metric="roc_auc")
    assert Attribution.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_columns_that_go_together_in_another_way_are_seen() -> None:
    rng = np.random.default_rng(10)
    current = flights(11)
    seats = current.column("wind").to_numpy() * 50 + rng.normal(170, 5, len(current))
    where = current.column_names.index("seats")
    found = explained(current.set_column(where, "seats", pa.array(seats)))
    assert found.joint is not None
    assert found.joint.lower > 0.8
    assert found.joint.p_value < 1e-6
    assert {name for name, _ in found.joint.columns[:2]} == {"wind", "seats"}


def test_too_few_labels_explain_nothing() -> None:
    few = sample_of_table(REFERENCE.slice(0, 99))
    assert explain(few, sample_of_table(REFERENCE), BINS, "brier", {}) is None
    bare = sample_of_table(REFERENCE.drop_columns(["y_true"]))
    assert explain(sample_of_table(REFERENCE), bare, BINS, "brier", {}) is None


def test_a_ranking_loss_is_what_the_auc_lacks_of_one() -> None:
    rng = np.random.default_rng(8)
    score = rng.random(2000)
    truth = (rng.random(2000) < score).astype(float)
    rows = Rows(truth=truth, said=(score > 0.5).astype(float), score=score)
    auc = float(METRICS["roc_auc"].value(from_rows.binary(truth, rows.said, score)))
    assert loss_for("roc_auc", Task.BINARY, rows).of(rows).mean() == pytest.approx(
        1 - auc, abs=1e-3
    )


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_the_segments_of_a_column_add_up_to_the_change(seed: int, segments: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 50, 2)
    sides = rng.integers(0, segments, n), rng.integers(0, segments, m)
    losses = rng.exponential(1, n), rng.exponential(1, m)
    found = changes("carrier", [f"s{k}" for k in range(segments)], sides, losses)
    change = losses[1].mean() - losses[0].mean()
    assert sum(each.contribution for each in found) == pytest.approx(change, abs=1e-9)
    assert sum(each.excess for each in found) == pytest.approx(0, abs=1e-9)


def test_without_any_shift_every_part_of_it_is_none() -> None:
    rng = np.random.default_rng(9)
    inside = 0
    for _ in range(40):
        losses = rng.exponential(1, 300), rng.exponential(1, 300)
        found = split(losses, np.full(600, 0.5), 0.5)
        assert found.overlap == 1.0
        inside += found.y_given_x.lower <= 0 <= found.y_given_x.upper
    assert inside >= 34


def test_missing_values_are_a_segment_of_their_own() -> None:
    values = pa.array([1.0, None, float("nan"), 1e9])
    names, (one, two) = segments_of(values, values, BINS.columns["wind"])
    assert [names[k] for k in one[1:3]] == ["null", "null"]
    assert names[two[3]].startswith(">")
    names, (one, _) = segments_of(pa.array(["UA", None]), pa.array(["UA"]), BINS.columns["carrier"])
    assert [names[k] for k in one] == ["UA", "null"]
