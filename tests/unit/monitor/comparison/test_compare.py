"""Comparing two tables: what is found, what is left alone, and what cannot be said."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from comparing import ROWS, changed, checks, column, detail, frame, run
from monitor.compare import compare
from monitor.model import CheckStatus
from watchkeeper.errors import TableError
from watchkeeper.schema import ColumnKind

COLUMN_KEYS = [
    "name",
    "kind",
    "metric",
    "value",
    "p_value",
    "p_value_adjusted",
    "lower",
    "upper",
    "effect",
    "minimum_detectable_effect",
    "status",
    "n_reference",
    "n_current",
    "null_share_reference",
    "null_share_current",
]


def test_two_samples_of_one_source_show_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, frame(0), frame(1))
    assert result.status is CheckStatus.OK
    assert result.quality == ()
    assert all(one.p_value_adjusted and one.p_value_adjusted > 0.05 for one in result.columns)


def test_the_json_has_the_agreed_shape_and_only_finite_numbers(tmp_path: Path) -> None:
    result = run(tmp_path, frame(0), frame(1)).to_dict()
    text = json.dumps(result, allow_nan=False)
    assert set(json.loads(text)) == {"n_reference", "n_current", "status", "columns", "quality"}
    for one in result["columns"]:
        assert list(one) == COLUMN_KEYS
        assert one["lower"] <= one["effect"] <= one["value"] <= one["upper"]


def test_a_shift_is_found_with_its_size(tmp_path: Path) -> None:
    current = frame(1)
    current["length"] += 8
    result = run(tmp_path, frame(0), current)
    assert changed(result) == {"length"}
    found = column(result, "length")
    # One standard deviation of normal values: PSI 1, a little less in bins.
    assert found.effect == pytest.approx(0.96, abs=0.1)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < 0.96 < found.upper
    assert found.status is CheckStatus.CRITICAL


def test_a_certain_but_tiny_shift_is_no_alarm(tmp_path: Path) -> None:
    reference, current = (
        pd.DataFrame({"x": np.random.default_rng(seed).normal(shift, 1, 60_000)})
        for seed, shift in ((0, 0.0), (1, 0.06))
    )
    found = column(run(tmp_path, reference, current), "x")
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert found.status is CheckStatus.OK


def test_too_few_rows_are_said_to_be_too_few(tmp_path: Path) -> None:
    result = run(tmp_path, frame(0), frame(1, rows=20))
    assert column(result, "length").status is CheckStatus.INSUFFICIENT_DATA
    found = column(result, "length").minimum_detectable_effect
    assert found is not None
    assert found > 0.25


def test_a_null_surge_is_seen_twice_and_usual_nulls_are_not(tmp_path: Path) -> None:
    current = frame(1)
    current.loc[current.index[:2_000], "price"] = np.nan
    result = run(tmp_path, frame(0), current)
    assert checks(result) == {("price", "null_surge")}
    assert changed(result) == {"price"}
    assert column(result, "price").null_share_current == 0.5
    assert "50.0% of the rows have no value, 0.0% in the reference" in detail(
        result, "price", "null_surge"
    )


def test_nan_counts_as_missing_and_infinities_are_out_of_range(tmp_path: Path) -> None:
    reference, current = frame(0), frame(1)
    values = current["length"].to_numpy().copy()
    values[:1_000] = math.inf
    table = pa.table({"length": pa.array(values, from_pandas=False)})
    result = run(tmp_path, reference[["length"]], table)
    assert detail(result, "length", "out_of_range").endswith("are infinite; the reference has none")
    values[:1_000] = math.nan
    result = run(tmp_path, reference[["length"]], pa.table({"length": pa.array(values)}))
    assert ("length", "null_surge") in checks(result)


def test_numbers_that_arrive_as_text_are_a_change_of_type_and_still_compared(
    tmp_path: Path,
) -> None:
    current = frame(1)
    current["price"] = [f"{value:.2f}".replace(".", ",") for value in current["price"]]
    result = run(tmp_path, frame(0), current)
    assert checks(result) == {("price", "type_change")}
    assert "100.0% of the rows can still be read as a number" in detail(
        result, "price", "type_change"
    )
    assert column(result, "price").status is CheckStatus.OK


def test_text_that_became_numbers_is_not_compared(tmp_path: Path) -> None:
    current = frame(1)
    current["carrier"] = 5
    result = run(tmp_path, frame(0), current)
    assert checks(result) == {("carrier", "type_change")}
    found = column(result, "carrier")
    assert (found.p_value, found.status) == (None, CheckStatus.INSUFFICIENT_DATA)


def test_a_column_without_any_value_keeps_its_type(tmp_path: Path) -> None:
    current = frame(1)
    current["carrier"] = None
    current["price"] = None
    result = run(tmp_path, frame(0), current)
    assert checks(result) == {("carrier", "null_surge"), ("price", "null_surge")}


@pytest.mark.parametrize(
    ("name", "convert", "words"),
    [
        ("temperature", lambda values: values * 1.8 + 32, "°C → °F (×1.8 + 32)"),
        ("price", lambda values: values * 100, "×100"),
        ("length", lambda values: values / 100, "÷100"),
        ("length", lambda values: values / 2.54, "cm → inches (÷2.54)"),
        ("weight", lambda values: values / 0.45359237, "kg → lb (÷0.453592)"),
        ("temperature", lambda values: (values - 32) / 1.8, "°F → °C (− 32, ÷1.8)"),
    ],
)
def test_a_change_of_unit_is_named(tmp_path: Path, name: str, convert: Any, words: str) -> None:
    current = frame(1)
    current[name] = convert(current[name])
    result = run(tmp_path, frame(0), current)
    assert (name, "unit_change") in checks(result)
    assert detail(result, name, "unit_change") == f"the values look like {words}"


def test_a_real_change_of_scale_is_not_called_a_change_of_unit(tmp_path: Path) -> None:
    reference, current = frame(0), frame(1)
    current["price"] = np.round(current["price"] * 1.65, 2)
    result = run(tmp_path, reference, current)
    assert changed(result) == {"price"}
    assert ("price", "unit_change") not in checks(result)


def test_a_sentinel_is_out_of_range(tmp_path: Path) -> None:
    current = frame(1)
    current.loc[current.index[::4], "price"] = -1
    found = detail(run(tmp_path, frame(0), current), "price", "out_of_range")
    assert found.startswith("25.0% of the values are outside the reference's range")


def test_new_categories_are_named_beside_the_known_ones_they_resemble(tmp_path: Path) -> None:
    current = frame(1)
    current["carrier"] = current["carrier"].replace({"UA": "u.a.", "B6": "Jet"})
    found = detail(run(tmp_path, frame(0), current), "carrier", "unseen_category")
    assert "'u.a.' (known: 'UA')" in found
    assert "'Jet'" in found


def test_rare_categories_that_come_by_chance_are_no_finding(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    shares = 1 / np.arange(1, 801)
    sides = [
        pd.DataFrame(
            {"town": [f"town {i}" for i in draw.choice(800, 3_000, p=shares / shares.sum())]}
        )
        for _ in range(2)
    ]
    result = run(tmp_path, *sides)
    assert column(result, "town").kind is ColumnKind.CATEGORICAL
    assert result.quality == ()
    assert changed(result) == set()


def test_a_frozen_feed_is_stale_and_a_season_is_not(tmp_path: Path) -> None:
    reference, current = frame(0), frame(1, rows=500)
    reference["season"] = np.repeat([1, 2, 3, 4], ROWS // 4)
    current["season"] = 2
    current["temperature"] = current["temperature"].iloc[0]
    result = run(tmp_path, reference, current)
    assert checks(result) == {("temperature", "stale")}


def test_swapped_columns_are_found_as_a_pair(tmp_path: Path) -> None:
    current = frame(1)
    current["length"], current["weight"] = current["weight"].copy(), current["length"].copy()
    result = run(tmp_path, frame(0), current)
    assert ("length", "swapped") in checks(result)
    assert "'length' and 'weight'" in detail(result, "length", "swapped")


def test_lost_decimals_are_found_even_where_the_distribution_holds(tmp_path: Path) -> None:
    current = frame(1)
    current["length"] = np.round(current["length"])
    assert checks(run(tmp_path, frame(0), current)) == {("length", "precision_loss")}


def test_copies_are_held_against_the_references_own(tmp_path: Path) -> None:
    reference, current = frame(0), frame(1)
    doubled = pd.concat([current, current.sample(frac=0.3, random_state=0)], ignore_index=True)
    assert (None, "duplicates") in checks(run(tmp_path, reference, doubled))
    usual = pd.concat([reference, reference.sample(frac=0.3, random_state=0)], ignore_index=True)
    assert checks(run(tmp_path, usual, doubled)) == set()


def test_columns_that_went_and_came_are_named(tmp_path: Path) -> None:
    current = frame(1).rename(columns={"rain": "rainfall"})
    result = run(tmp_path, frame(0), current)
    assert checks(result) == {("rain", "schema"), ("rainfall", "schema")}
    assert result.status is CheckStatus.CRITICAL


def test_serial_numbers_may_leave_a_gap(tmp_path: Path) -> None:
    before, now = frame(0), frame(1)
    before["order"] = np.arange(len(before))
    now["order"] = np.arange(len(now)) + 20 * len(before)
    result = run(tmp_path, before, now)
    assert column(result, "order").p_value is None
    assert checks(result) == set()
    now["order"] *= 1000
    assert ("order", "out_of_range") in checks(run(tmp_path, before, now))


def test_values_in_another_unit_are_not_called_out_of_range_too(tmp_path: Path) -> None:
    current = frame(1)
    current["price"] *= 100
    assert checks(run(tmp_path, frame(0), current)) == {("price", "unit_change")}


def test_a_season_and_what_is_divided_to_nothing_are_no_units(tmp_path: Path) -> None:
    generator = np.random.default_rng(8)
    wind = generator.lognormal(size=4_000)
    before = pd.DataFrame({"wind": wind, "flag": (np.arange(4_000) == 7).astype(float)})
    for factor in (2.0, 3.0, 3.5, 4.0):
        now = pd.DataFrame(
            {
                "wind": factor * generator.lognormal(size=4_000),
                "flag": generator.normal(50, 1, 4_000),
            }
        )
        found = checks(run(tmp_path, before, now))
        assert not {check for _, check in found} & {"unit_change"}


def test_time_and_serial_numbers_only_run_on(tmp_path: Path) -> None:
    reference, current = frame(0), frame(1)
    reference["when"] = pd.date_range("2024-01-01", periods=ROWS, freq="min", tz="UTC")
    current["when"] = pd.date_range("2024-02-01", periods=ROWS, freq="min", tz="UTC")
    reference["id"], current["id"] = np.arange(ROWS), np.arange(ROWS, 2 * ROWS)
    result = run(tmp_path, reference, current)
    assert (changed(result), result.quality) == (set(), ())
    assert column(result, "when").kind is ColumnKind.DATETIME
    assert column(result, "id").p_value is None


def test_days_with_far_fewer_rows_are_found(tmp_path: Path) -> None:
    reference = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=9_600, freq="3min")})
    current = pd.DataFrame({"when": pd.date_range("2024-02-01", periods=2_000, freq="6min")})
    found = detail(run(tmp_path, reference, current), "when", "volume")
    assert found == "240 rows on a typical day, 480 in the reference"


def test_tables_without_rows_can_be_compared(tmp_path: Path) -> None:
    for reference, current in ((frame(0), frame(1)[:0]), (frame(0)[:0], frame(1))):
        result = run(tmp_path, reference, current)
        assert (None, "volume") in checks(result)
        assert {one.status for one in result.columns} == {CheckStatus.INSUFFICIENT_DATA}
        json.dumps(result.to_dict(), allow_nan=False)


def test_odd_columns_are_compared_too(tmp_path: Path) -> None:
    def odd(seed: int) -> pa.Table:
        draw = np.random.default_rng(seed)
        return pa.table(
            {
                "<script>": draw.normal(size=300),
                'a "quoted" name': draw.normal(size=300),
                "größe 🚢": draw.normal(size=300),
                "nothing": pa.nulls(300),
                "all null": pa.array([None] * 300, pa.float64()),
                "list": [[int(value)] for value in draw.integers(0, 3, 300)],
                "decimal": pa.array(draw.integers(0, 9, 300)).cast(pa.decimal128(21, 2)),
                "id": [f"{value:012x}" for value in draw.integers(0, 2**40, 300)],
                "city": pa.array(draw.choice(["a", "b"], 300)).dictionary_encode(),
                "day": pa.array(draw.integers(19_000, 19_100, 300).astype("int32"), pa.date32()),
            }
        )

    result = run(tmp_path, odd(0), odd(1))
    assert (changed(result), result.quality) == (set(), ())
    kinds = {one.name: str(one.kind) for one in result.columns}
    assert kinds["id"] == "text"
    assert kinds["day"] == "datetime"
    assert kinds["decimal"] == "numerical"
    assert kinds["list"] == kinds["city"] == "categorical"


def test_a_thousand_columns_are_compared(tmp_path: Path) -> None:
    sides = [
        pd.DataFrame(np.random.default_rng(seed).normal(size=(300, 1_000))).rename(columns=str)
        for seed in range(2)
    ]
    sides[1]["500"] += 2
    result = run(tmp_path, *sides)
    assert changed(result) == {"500"}


def test_the_same_seed_gives_the_same_result_and_the_order_of_columns_does_not_matter(
    tmp_path: Path,
) -> None:
    reference, current = frame(0, rows=60), frame(1, rows=45)
    first = run(tmp_path, reference, current, seed=3)
    assert run(tmp_path, reference, current, seed=3) == first
    turned = run(tmp_path, reference[reference.columns[::-1]], current, seed=3)
    assert {one.name: one.p_value for one in turned.columns} == {
        one.name: one.p_value for one in first.columns
    }


def test_only_the_wanted_columns_are_compared(tmp_path: Path) -> None:
    current = frame(1).drop(columns=["rain"])
    result = run(tmp_path, frame(0), current, columns=["price", "grade"])
    assert [one.name for one in result.columns] == ["price", "grade"]
    assert result.quality == ()
    with pytest.raises(TableError, match="no column 'prize'; did you mean 'price'"):
        run(tmp_path, frame(0), current, columns=["prize"])


def test_tables_without_a_common_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no column in common"):
        run(tmp_path, frame(0)[["price"]], frame(1)[["rain"]])


def test_a_csv_file_is_compared_with_a_parquet_file(tmp_path: Path) -> None:
    frame(0).to_parquet(tmp_path / "reference.parquet")
    frame(1).to_csv(tmp_path / "current.csv", index=False)
    result = compare(f"{tmp_path}/reference.parquet", f"{tmp_path}/current.csv")
    assert (result.status, result.quality) == (CheckStatus.OK, ())


def test_a_table_that_is_sampled_for_its_edges_is_still_counted_in_full(tmp_path: Path) -> None:
    sides = [
        pd.DataFrame({"x": np.random.default_rng(seed).normal(size=120_000)}) for seed in range(2)
    ]
    result = run(tmp_path, *sides)
    found = column(result, "x")
    assert (found.n_reference, found.n_current) == (120_000, 120_000)
    assert found.p_value is not None
    assert found.p_value > 0.001
    assert found.minimum_detectable_effect is not None
    assert found.minimum_detectable_effect < 0.001


def test_a_flood_of_new_values_in_a_short_list_is_found(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    reference = pd.DataFrame({"town": [f"town {i}" for i in draw.integers(0, 40, 20_000)]})
    current = pd.DataFrame({"town": [f"x{i}" for i in range(12_000)]})
    result = run(tmp_path, reference, current)
    assert ("town", "unseen_category") in checks(result)
    assert column(result, "town").status is CheckStatus.CRITICAL


def test_a_long_list_is_followed_by_its_most_frequent_values(tmp_path: Path) -> None:
    def towns(seed: int, shares: list[float]) -> pd.DataFrame:
        draw = np.random.default_rng(seed)
        large = draw.choice(["Oslo", "Rome", ""], 40_000, p=shares)
        return pd.DataFrame(
            {"town": [name or f"hamlet {draw.integers(0, 30_000)}" for name in large]}
        )

    result = run(tmp_path, towns(0, [0.4, 0.3, 0.3]), towns(1, [0.4, 0.3, 0.3]))
    assert (column(result, "town").kind, result.quality) == (ColumnKind.CATEGORICAL, ())
    assert column(result, "town").status is CheckStatus.OK
    result = run(tmp_path, towns(0, [0.4, 0.3, 0.3]), towns(1, [0.1, 0.6, 0.3]))
    assert column(result, "town").status is CheckStatus.CRITICAL
