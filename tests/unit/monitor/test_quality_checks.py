"""Each break of a feed is named by its own check, in the first window, and nothing else is."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from monitor.evaluate import evaluate_window
from monitor.model import CheckResult, CheckStatus
from monitor.profiles.connection import connect
from monitor.profiles.model import Profile
from monitor.profiles.query import profile_rows
from monitor.quality.check import check_quality
from monitor.reference import Reference, fit_reference, rows_of
from monitor.subject import Subject
from monitor.usual import Usual
from monitor.volume import check_volume
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.window import Window

from .conftest import SETTINGS, START

SCHEMA = FeatureSchema(
    columns=(
        Column(name="temperature", kind=ColumnKind.NUMERICAL),
        Column(name="pressure", kind=ColumnKind.NUMERICAL),
        Column(name="price", kind=ColumnKind.NUMERICAL),
        Column(name="station", kind=ColumnKind.CATEGORICAL),
        Column(name="month", kind=ColumnKind.CATEGORICAL),
        Column(name="code", kind=ColumnKind.TEXT),
    ),
    target="late",
    task=Task.BINARY,
    classes=("0", "1"),
)
DAYS, ROWS = 60, 96


def stations(start: datetime, days: int, *, seed: int, rows: int = ROWS) -> pd.DataFrame:
    """Four rows an hour, every hour; the month changes as months do."""
    rng = np.random.default_rng(seed)
    n = days * rows
    at = pd.to_datetime(start) + pd.to_timedelta(np.arange(n) * 86400 // rows, unit="s")
    level = np.repeat(rng.normal(0, 2, days), rows)
    return pd.DataFrame(
        {
            "timestamp": at,
            "temperature": np.round(12 + level + rng.normal(0, 3, n), 1),
            "pressure": rng.normal(1013, 8, n),
            "price": np.round(rng.lognormal(3, 0.3, n), 2),
            "station": rng.choice(np.array(["a", "b", "c"], dtype=object), n),
            "month": at.strftime("%b"),
            "code": [f"{v:.1f}" for v in rng.normal(500, 20, n)],
        }
    )


def given(frame: pd.DataFrame) -> dict[str, object]:
    zeros = pd.Series(np.zeros(len(frame), dtype=np.int64))
    return {"timestamps": frame.timestamp, "y_pred": zeros, "y_pred_proba": None, "y_true": None}


@pytest.fixture(scope="module")
def known() -> Reference:
    frame = stations(START - timedelta(days=DAYS), DAYS, seed=0)
    return fit_reference(frame, schema=SCHEMA, settings=SETTINGS, **given(frame))  # type: ignore[arg-type]


@pytest.fixture
def day() -> pd.DataFrame:
    return stations(START, 1, seed=1)


def tiles_of(table: pa.Table, known: Reference) -> dict[datetime, Profile]:
    with connect() as connection:
        return profile_rows(connection, connection.arrow(table), known.bins, timedelta(hours=1))


def said_of(table: pa.Table, known: Reference) -> list[CheckResult]:
    tiles = tiles_of(table, known)
    window = Window(start=START, end=START + timedelta(days=1))
    subject = Subject(model="m", version=1, window=window, now=window.end)
    profile = Profile.merge(tiles.values(), known.bins.layout)
    return check_quality(subject, profile, known, tiles)


def findings(table: pa.Table, known: Reference) -> dict[tuple[str, str | None], CheckResult]:
    return {
        (result.check, result.measurement.column): result
        for result in said_of(table, known)
        if result.status in {CheckStatus.WARNING, CheckStatus.CRITICAL}
    }


def table_of(frame: pd.DataFrame) -> pa.Table:
    return rows_of(frame, SCHEMA, **given(frame))  # type: ignore[arg-type]


def found(frame: pd.DataFrame, known: Reference) -> dict[tuple[str, str | None], CheckResult]:
    return findings(table_of(frame), known)


@pytest.mark.parametrize("seed", range(2, 8))
def test_a_usual_day_has_no_finding(known: Reference, seed: int) -> None:
    assert found(stations(START, 1, seed=seed), known) == {}


def test_a_month_that_was_never_seen_is_what_months_do(known: Reference, day: pd.DataFrame) -> None:
    assert found(day.assign(month="Dec"), known) == {}
    assert set(found(day.assign(station="A"), known)) == {("unseen_category", "station")}


def test_a_change_of_unit_is_named_with_scale_and_offset(
    known: Reference, day: pd.DataFrame
) -> None:
    warm = found(day.assign(temperature=day.temperature * 1.8 + 32), known)
    assert set(warm) == {("unit_change", "temperature")}
    assert "°C → °F (×1.8 + 32)" in warm["unit_change", "temperature"].reason
    cents = found(day.assign(price=day.price * 1000), known)
    assert set(cents) == {("unit_change", "price")}
    assert "×1,000" in cents["unit_change", "price"].reason
    kelvin = found(day.assign(temperature=day.temperature + 273.15), known)
    assert "°C → K" in kelvin["unit_change", "temperature"].reason


def gusts(frame: pd.DataFrame, levels: np.ndarray, spreads: np.ndarray) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    rows = len(frame) // len(levels)
    noise = np.repeat(spreads, rows) * rng.normal(size=len(frame))
    return frame.assign(pressure=np.repeat(levels, rows) + noise)


def test_a_conversion_that_leads_farther_away_is_none() -> None:
    past = stations(START - timedelta(days=DAYS), DAYS, seed=0)
    known = fit_reference(
        gusts(past, np.linspace(19.5, 31.5, DAYS), np.tile([1.5, 4, 3], DAYS // 3)),
        schema=SCHEMA,
        settings=SETTINGS,
        **given(past),
    )  # type: ignore[arg-type]
    stormy = gusts(stations(START, 1, seed=1), np.array([38.5]), np.array([4.0]))

    # Inches for centimetres would bring it back among the usual levels, but no nearer to theirs.
    assert ("unit_change", "pressure") not in found(stormy, known)
    metric = stormy.assign(pressure=stormy.pressure * 0.6 * 25.4)
    assert ("unit_change", "pressure") in found(metric, known)


def test_a_hot_day_is_no_change_of_unit(known: Reference, day: pd.DataFrame) -> None:
    assert found(day.assign(temperature=day.temperature + 14), known) == {}
    assert found(day.assign(price=np.round(day.price * 1.6, 2)), known) == {}


def test_lost_decimals_are_a_warning(known: Reference, day: pd.DataFrame) -> None:
    lost = found(day.assign(price=np.trunc(day.price), pressure=np.trunc(day.pressure)), known)
    assert {key: result.status for key, result in lost.items()} == {
        ("precision_loss", "price"): CheckStatus.WARNING,
        ("precision_loss", "pressure"): CheckStatus.WARNING,
    }


def test_a_code_below_zero_and_a_value_out_of_this_world_are_out_of_range(
    known: Reference, day: pd.DataFrame
) -> None:
    code = day.price.where(np.arange(ROWS) % 3 > 0, -1.0)
    broken = found(day.assign(price=code), known)["out_of_range", "price"]
    assert broken.status is CheckStatus.CRITICAL
    day.loc[7, "pressure"] = 5503.0
    one = found(day, known)
    assert {key: result.status for key, result in one.items()} == {
        ("out_of_range", "pressure"): CheckStatus.WARNING
    }


def test_a_feed_that_stands_still_is_stale_whole_or_in_part(
    known: Reference, day: pd.DataFrame
) -> None:
    frozen = found(day.assign(temperature=day.temperature.iloc[0]), known)
    assert set(frozen) == {("stale", "temperature")}
    for_half = day.temperature.where(np.arange(ROWS) < ROWS // 2, 9.9)
    partly = found(day.assign(temperature=for_half), known)
    assert set(partly) == {("stale", "temperature")}
    assert "for 12 h" in partly["stale", "temperature"].reason


def test_copies_are_found_against_the_habit(known: Reference, day: pd.DataFrame) -> None:
    again = pd.concat([day, day.sample(frac=0.4, random_state=0)]).sort_values("timestamp")
    copies = found(again.reset_index(drop=True), known)
    assert set(copies) == {("duplicates", None)}
    assert copies["duplicates", None].status is CheckStatus.CRITICAL


def test_hours_that_always_had_rows_are_missed(known: Reference, day: pd.DataFrame) -> None:
    late = found(day[day.timestamp.dt.hour < 17].reset_index(drop=True), known)
    assert set(late) == {("missing_partition", None)}
    assert "17:00, 18:00" in late["missing_partition", None].reason


def test_no_hour_is_missed_where_another_version_answered_or_the_log_begins(
    known: Reference, day: pd.DataFrame
) -> None:
    tiles = tiles_of(table_of(day[day.timestamp.dt.hour < 17].reset_index(drop=True)), known)
    rows = sum(tile.rows for tile in tiles.values())
    window = Window(start=START, end=START + timedelta(days=1))

    def missed(**others: Any) -> bool:
        evaluated = evaluate_window(
            window, tiles, known, SETTINGS, version=1, now=window.end, **others
        )
        return "missing_partition" in {
            result.check for result in evaluated.results if result.status is CheckStatus.CRITICAL
        }

    assert missed(rows_before=[len(day)] * 8, rows_of_all=rows)
    assert not missed(rows_before=[len(day)] * 8, rows_of_all=len(day))
    assert not missed(rows_before=[], rows_of_all=rows)


def test_columns_that_changed_places_are_named_together(
    known: Reference, day: pd.DataFrame
) -> None:
    swapped = found(day.assign(pressure=day.price, price=day.pressure), known)
    assert ("swapped", "pressure") in swapped
    assert "'pressure' and 'price'" in swapped["swapped", "pressure"].reason
    assert {check for check, _ in swapped} == {"swapped"}


def test_what_is_in_its_place_is_said_to_be(known: Reference, day: pd.DataFrame) -> None:
    # Without a word the incident of columns that were swapped would never end.
    usual = [each for each in said_of(table_of(day), known) if each.check == "swapped"]
    assert {each.status for each in usual} == {CheckStatus.OK}
    assert {"pressure", "price"} <= {each.measurement.column for each in usual}


def test_text_instead_of_numbers_is_a_change_of_type(known: Reference, day: pd.DataFrame) -> None:
    table = table_of(day)
    text = pa.array([f"{value:.2f}".replace(".", ",") for value in day.price])
    as_text = table.set_column(table.column_names.index("price"), "price", text)
    assert set(findings(as_text, known)) == {("type_change", "price")}
    comma = day.assign(code=day.code.str.replace(".", ","))
    assert set(found(comma, known)) == {("type_change", "code")}


def test_a_column_that_is_gone_is_a_break_of_the_schema(
    known: Reference, day: pd.DataFrame
) -> None:
    gone = findings(table_of(day).drop_columns(["price"]), known)
    assert gone["schema", "price"].status is CheckStatus.CRITICAL
    empty = found(day.assign(price=np.nan), known)
    assert set(empty) == {("schema", "price"), ("null_surge", "price")}


def test_what_is_usual_comes_back_from_json(known: Reference) -> None:
    assert known.usual is not None
    assert Usual.from_dict(known.usual.to_dict()) == known.usual


def test_a_reference_that_was_stored_before_still_serves(
    known: Reference, day: pd.DataFrame
) -> None:
    old = dataclasses.replace(
        known, usual=None, profile=dataclasses.replace(known.profile, quality=None)
    )
    assert found(day.assign(month="May"), old) == {}
    assert ("null_surge", "price") in found(day.assign(price=np.nan), old)


def test_a_sunday_is_held_against_sundays() -> None:
    week = [900, 905, 895, 910, 900, 700, 780]
    before = [rows for _ in range(4) for rows in week][::-1]

    def volume(rows: int, shift: int) -> CheckStatus:
        window = Window(start=START, end=START + timedelta(days=1))
        subject = Subject(model="m", version=1, window=window, now=window.end)
        return check_volume(subject, rows, before[shift:] + before[:shift]).status

    assert volume(900, 0) is CheckStatus.OK
    assert volume(690, 0) is CheckStatus.WARNING
    assert volume(150, 0) is CheckStatus.CRITICAL
