"""Merging profiles is exact: in any order and any grouping, and after being stored."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from monitor.performance.from_rows import binary
from monitor.performance.scores import BINS
from monitor.profiles.layout import ColumnLayout, Layout
from monitor.profiles.model import Profile
from watchkeeper.schema import ColumnKind, Task

LAYOUT = Layout(
    columns=(
        ColumnLayout(name="distance", kind=ColumnKind.NUMERICAL, bins=4),
        ColumnLayout(name="carrier", kind=ColumnKind.CATEGORICAL, bins=3),
    ),
    task=Task.BINARY,
    classes=("0", "1"),
    edges_key="e1",
)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    seed = draw(st.integers(0, 2**32))
    largest = draw(st.sampled_from([3, 1000, 10**6, 10**12]))
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 5))
    values = rng.normal(0, 10.0 ** rng.integers(-9, 9), size=(4, 2))
    values[2:, 1] = [np.inf, -np.inf]
    return Profile(
        layout=LAYOUT,
        rows=int(rng.integers(largest)),
        duplicates=int(rng.integers(3)),
        cells=rng.integers(0, largest, LAYOUT.cells),
        moments=values,
        outcomes=binary(rng.integers(0, 2, n), rng.integers(0, 2, n), rng.random(n)),
        scores=rng.integers(0, largest, 2 * BINS) * (rng.random(2 * BINS) < 0.01),
    )


def assert_same(one: Profile, other: Profile, *, rtol: float = 0.0) -> None:
    assert (one.rows, one.duplicates, one.labels) == (other.rows, other.duplicates, other.labels)
    assert_array_equal(one.cells, other.cells)
    assert_array_equal(one.outcomes.counts, other.outcomes.counts)
    assert one.scores is not None
    assert other.scores is not None
    assert_array_equal(one.scores, other.scores)
    assert_allclose(one.moments[2:], other.moments[2:], rtol=0)
    assert_allclose(one.moments[:2], other.moments[:2], rtol=rtol, atol=rtol * 1e10)
    assert_allclose(one.outcomes.sums, other.outcomes.sums, rtol=rtol)


@given(st.lists(profiles(), max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_a_merge_does_not_matter_at_all(
    parts: list[Profile], random: st.DataObject
) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert_same(Profile.merge(parts, LAYOUT), Profile.merge(shuffled, LAYOUT))


@given(profiles(), profiles(), profiles())
def test_the_grouping_of_merges_does_not_matter(a: Profile, b: Profile, c: Profile) -> None:
    left = Profile.merge([Profile.merge([a, b], LAYOUT), c], LAYOUT)
    right = Profile.merge([a, Profile.merge([b, c], LAYOUT)], LAYOUT)
    assert_same(left, right, rtol=1e-9)


@given(profiles())
def test_nothing_added_changes_nothing(profile: Profile) -> None:
    assert_same(Profile.merge([profile, Profile.empty(LAYOUT)], LAYOUT), profile)


@given(profiles())
def test_it_comes_back_from_its_bytes(profile: Profile) -> None:
    assert_same(Profile.from_bytes(profile.to_bytes(), LAYOUT), profile)


def test_the_layout_comes_back_from_json() -> None:
    assert Layout.from_dict(LAYOUT.to_dict()) == LAYOUT


def test_an_hour_of_few_rows_is_stored_in_little_space() -> None:
    rng = np.random.default_rng(1)
    layout = Layout(
        columns=tuple(
            ColumnLayout(name=f"c{i}", kind=ColumnKind.NUMERICAL, bins=10) for i in range(50)
        ),
        task=Task.BINARY,
        classes=("0", "1"),
        edges_key="e",
    )
    profile = Profile(
        layout=layout,
        rows=40,
        duplicates=0,
        cells=rng.integers(0, 8, layout.cells),
        moments=rng.normal(0, 1, (4, 50)),
        outcomes=binary(rng.integers(0, 2, 40), rng.integers(0, 2, 40), rng.random(40)),
    )
    assert len(profile.to_bytes()) < 3000


def test_it_refuses_profiles_on_other_bins() -> None:
    other = Layout(columns=LAYOUT.columns, task=Task.BINARY, classes=("0", "1"), edges_key="e2")
    with pytest.raises(ValueError, match="different bins"):
        Profile.merge([Profile.empty(other)], LAYOUT)
    with pytest.raises(ValueError, match="different bins"):
        Profile.from_bytes(Profile.empty(other).to_bytes(), LAYOUT)


def test_a_column_can_be_looked_at() -> None:
    cells = np.zeros(LAYOUT.cells, dtype=np.int64)
    cells[:11] = [2, 1, 0, 1, 1, 0, 3, 5, 0, 1, 1]
    cells[-1] = 4
    moments = np.array([[14.0, 0.0], [54.0, 0.0], [0.0, np.inf], [6.0, -np.inf]])
    profile = Profile(
        layout=LAYOUT,
        rows=10,
        duplicates=0,
        cells=cells,
        moments=moments,
        outcomes=Profile.empty(LAYOUT).outcomes,
    )
    distance, carrier = profile.columns()
    assert profile.column("distance").mean == distance.mean == 2.0
    assert (distance.values, distance.null_share, distance.zeros) == (7, 0.3, 3)
    assert distance.counts.tolist() == [5, 0, 1, 1]
    assert distance.deviation == pytest.approx(np.sqrt(54 / 7 - 4))
    assert (carrier.minimum, carrier.mean, carrier.unseen) == (None, None, 4)
    with pytest.raises(KeyError):
        profile.column("weather")


def test_scores_of_profiles_that_did_not_count_them_are_unknown_not_zero() -> None:
    known = Profile.empty(LAYOUT)
    old = dataclasses.replace(known, rows=3, scores=None)
    assert Profile.from_bytes(old.to_bytes(), LAYOUT).scores is None
    assert Profile.merge([known, old], LAYOUT).scores is None
    assert Profile.merge([known], LAYOUT).scores is not None
