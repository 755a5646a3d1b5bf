"""Bins come from the reference alone, follow one convention, and survive JSON."""

from __future__ import annotations

import json
import math

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.edges import ColumnBins, count, fit_bins, fit_categories, fit_numbers
from watchkeeper.schema import Column, ColumnKind

VALUES = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=300)
TIED = st.lists(st.integers(-5, 40).map(float), min_size=1, max_size=300)


@given(st.one_of(VALUES, TIED), st.integers(2, 25))
def test_every_value_falls_into_one_bin_and_edges_ascend(values: list[float], n_bins: int) -> None:
    array = np.array(values)
    bins = fit_numbers(array, n_bins=n_bins)
    assert list(bins.edges) == sorted(set(bins.edges))
    assert bins.n_fitted == len(values)
    assert count(array, bins.edges).tolist() == list(bins.spacings)
    assert set(bins.atoms) <= set(bins.edges)
    assert (bins.minimum, bins.maximum) == (min(values), max(values))


@given(st.one_of(VALUES, TIED))
def test_bins_survive_json(values: list[float]) -> None:
    bins = fit_numbers(np.array(values))
    assert ColumnBins.from_dict(json.loads(json.dumps(bins.to_dict()))) == bins


@given(st.one_of(VALUES, TIED), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(values: list[float], random: object) -> None:
    shuffled = sorted(values, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert fit_numbers(np.array(values)) == fit_numbers(np.array(shuffled))


@given(VALUES, TIED)
def test_counting_by_comparison_and_by_search_agree(
    values: list[float], edges: list[float]
) -> None:
    few = sorted(set(edges))
    many = sorted({*few, *np.linspace(-1e6, 1e6, 60).tolist()})
    positions = np.searchsorted(many, np.array(values), side="left")
    expected = np.bincount(positions, minlength=len(many) + 1)
    assert count(np.array(values), many).tolist() == expected.tolist()
    positions = np.searchsorted(few, np.array(values), side="left")
    assert (
        count(np.array(values), few).tolist()
        == np.bincount(positions, minlength=len(few) + 1).tolist()
    )


def test_continuous_values_fill_twenty_bins_evenly() -> None:
    bins = fit_numbers(np.random.default_rng(0).normal(size=1_000))
    assert bins.spacings == (50,) * 20
    assert bins.atoms == ()


def test_an_edge_belongs_to_the_bin_that_it_ends() -> None:
    assert count(np.array([1.0, np.nextafter(1.0, 2.0)]), [1.0]).tolist() == [1, 1]


def test_few_values_have_a_bin_each() -> None:
    bins = fit_numbers(np.repeat([1.0, 2.5, 7.0], 20))
    assert bins.edges == bins.atoms == (1.0, 2.5, 7.0)
    assert bins.discrete


def test_a_small_sample_of_many_values_is_not_taken_for_few_values() -> None:
    assert not fit_numbers(np.random.default_rng(0).normal(size=15)).discrete


def test_a_constant_has_one_bin_and_one_for_what_is_above() -> None:
    bins = fit_numbers(np.full(9, 4.0))
    assert (bins.edges, bins.spacings) == ((4.0,), (9, 0))


def test_a_frequent_value_is_set_apart_from_its_neighbours() -> None:
    rain = np.r_[np.zeros(500), np.random.default_rng(0).exponential(size=500)]
    bins = fit_numbers(rain)
    assert bins.atoms == (0.0,)
    assert bins.spacings[bins.edges.index(0.0)] == 500


def test_nan_and_infinities_have_no_bin() -> None:
    bins = fit_numbers(np.array([1.0, 2.0, math.nan, math.inf, -math.inf]))
    assert (bins.n_fitted, bins.minimum, bins.maximum) == (2, 1.0, 2.0)


def test_a_column_without_a_value_has_one_bin() -> None:
    assert fit_numbers(np.array([math.nan])).n_bins == 1


def test_strings_are_ordered_by_their_bytes() -> None:
    bins = fit_categories({"é": 1, "z": 1, "Z": 1, "🚢": 1, "ﬀ": 1})
    assert bins.categories == ("Z", "z", "é", "ﬀ", "🚢")


def test_a_long_list_is_cut_to_the_most_frequent_and_says_so() -> None:
    bins = fit_categories({f"v{i}": i + 1 for i in range(50)}, limit=10)
    assert bins.categories == tuple(f"v{i}" for i in range(40, 50))
    assert not bins.complete
    assert bins.spacings[-1] == sum(range(1, 41))


FRAME = pd.DataFrame(
    {
        "number": [1.0, 2.0, np.nan, 4.0] * 10,
        "whole": list(range(40)),
        "flag": [True, False] * 20,
        "when": pd.date_range("2024-01-01", periods=40, tz="UTC"),
        "text": ["x" * (i % 7) for i in range(40)],
        "city": ["Oslo", None, "Bergen", "Oslo"] * 10,
        "none": [None] * 40,
    }
)
COLUMNS = [
    Column(name="number", kind=ColumnKind.NUMERICAL),
    Column(name="whole", kind=ColumnKind.NUMERICAL),
    Column(name="flag", kind=ColumnKind.CATEGORICAL),
    Column(name="when", kind=ColumnKind.DATETIME),
    Column(name="text", kind=ColumnKind.TEXT),
    Column(name="city", kind=ColumnKind.CATEGORICAL, categories=("Tromsø",)),
    Column(name="none", kind=ColumnKind.NUMERICAL),
]


def test_pandas_arrow_and_ibis_tables_give_the_same_bins() -> None:
    bins = fit_bins(FRAME, COLUMNS)
    assert bins == fit_bins(pa.Table.from_pandas(FRAME), COLUMNS)
    assert bins == fit_bins(ibis.memtable(FRAME), COLUMNS)
    assert bins["flag"].categories == ("false", "true")
    assert bins["when"].minimum == pd.Timestamp("2024-01-01", tz="UTC").value / 1000
    assert bins["city"].categories == ("Bergen", "Oslo", "Tromsø")
    assert bins["city"].spacings == (10, 20, 0, 0)
    assert bins["none"].n_bins == 1


def test_a_column_that_is_not_of_its_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="expected numerical values, got "):
        fit_bins(FRAME, [Column(name="city", kind=ColumnKind.NUMERICAL)])
