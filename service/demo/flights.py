"""The real flights that the demo replays, in time order, with one fault injected in plain sight."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

DATA = Path(__file__).parent / "data"
ZONE = ZoneInfo("America/New_York")
#: What the weather join brings; the demo breaks all of it for some days.
WEATHER = (
    "temperature_f",
    "dew_point_f",
    "humidity_pct",
    "wind_dir_deg",
    "wind_speed_mph",
    "wind_gust_mph",
    "precipitation_in",
    "pressure_mb",
    "visibility_miles",
)
BROKEN_FROM, BROKEN_UNTIL = date(2013, 6, 28), date(2013, 7, 3)
_NOT_FEATURES = ("timestamp", "label_available_at", "late")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hour:
    """The flights scheduled within one hour, and the labels that became known in it."""

    start: datetime
    end: datetime
    records: list[dict[str, Any]]
    labels: list[dict[str, Any]]
    weather_broken: bool


def replay(table: pa.Table | None = None) -> Iterator[Hour]:
    """Yield the live period hour by hour.

    The features are those of the real table, except that from 28 June to 2 July (local days) every
    column of the weather join is null: the fault that the demo announces on screen.
    """
    live = pq.read_table(DATA / "flights_live.parquet") if table is None else table
    live = live.append_column("prediction_id", _identifiers(live.num_rows))
    by_hour = _group(live, "timestamp")
    labels = _group(live.filter(pc.is_valid(live["late"])), "label_available_at")
    start, last = min(by_hour), max(*by_hour, *labels)
    while start <= last:
        broken = BROKEN_FROM <= start.astimezone(ZONE).date() < BROKEN_UNTIL
        yield Hour(
            start=start,
            end=start + timedelta(hours=1),
            records=[_record(row, broken=broken) for row in by_hour.get(start, [])],
            labels=[_label(row) for row in labels.get(start, [])],
            weather_broken=broken,
        )
        start += timedelta(hours=1)


def _identifiers(rows: int) -> pa.Array:
    return pa.array([f"flight-{number:06d}" for number in range(rows)])


def _group(table: pa.Table, column: str) -> dict[datetime, list[dict[str, Any]]]:
    groups: dict[datetime, list[dict[str, Any]]] = {}
    for row in table.sort_by(column).to_pylist():
        hour = row[column].astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        groups.setdefault(hour, []).append(row)
    return groups


def _record(row: dict[str, Any], *, broken: bool) -> dict[str, Any]:
    features = {
        name: None if broken and name in WEATHER else _plain(value)
        for name, value in row.items()
        if name not in _NOT_FEATURES and name != "prediction_id"
    }
    return {
        "prediction_id": row["prediction_id"],
        "timestamp": row["timestamp"].isoformat(),
        "features": features,
    }


def _label(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "prediction_id": row["prediction_id"],
        "y_true": row["late"],
        "labelled_at": row["label_available_at"].isoformat(),
    }


def _plain(value: Any) -> Any:
    # JSON has no NaN: in this table it means the same as null, a value that was not observed.
    return None if isinstance(value, float) and math.isnan(value) else value
