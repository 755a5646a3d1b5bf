"""Profiles of tiles by one aggregate query, over the prediction log joined with its labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis

from monitor.profiles.bins import SCORE, ProfileBins
from monitor.profiles.counting import aggregates, read_profile
from monitor.profiles.functions import epoch_us
from monitor.profiles.model import Profile
from monitor.profiles.outcome_counts import TRUTH

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Columns of the log that every query needs, beside the features and the model's output.
_KEYS = ("prediction_id", "version", "timestamp", "predicted_at", "writer", "sequence", "day")


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """One table of the prediction log, and the labels, restricted to the days that matter.

    Parameters
    ----------
    predictions
        Rows as in the lake, whole UTC days.
    labels
        Rows as in the lake; None when there is no label yet.
    """

    predictions: ibis.Table
    labels: ibis.Table | None


def versions_in(log: Log, tiles: Collection[datetime], tile: timedelta) -> list[int]:
    """Return the model versions that have rows in these tiles."""
    rows = _in_tiles(log.predictions, tiles, tile)
    found = rows.select("version").distinct().to_pyarrow()
    return sorted(found.column("version").to_pylist())


def profile_tiles(
    log: Log,
    bins: ProfileBins,
    *,
    version: int,
    tiles: Collection[datetime],
    tile: timedelta,
    now: datetime,
) -> dict[datetime, Profile]:
    """Profile the rows of one version in each of the tiles that has any.

    A prediction_id that occurs twice within a UTC day counts once: the row that was predicted
    first. Of the labels of a prediction, the newest by (labelled_at, received_at, sequence) counts,
    among those with ``labelled_at <= now``; a null label is no label.

    Parameters
    ----------
    tiles
        Starts of tiles, aligned in UTC.
    tile
        Length of a tile; divides a day.
    """
    wanted = dict.fromkeys([*_KEYS, *bins.columns, "y_pred", SCORE])
    predictions = log.predictions.filter(log.predictions.version == version)
    predictions = predictions.select(*(name for name in wanted if name in predictions.columns))
    kept, dropped = _first_of_each(predictions)
    rows = _in_tiles(kept, tiles, tile)
    result = _aggregate(_with_labels(rows, log.labels, now), bins)
    duplicates = {} if dropped is None else _count(_in_tiles(dropped, tiles, tile))
    return {
        EPOCH + row["tile"] * tile: read_profile(row | _duplicates(row, duplicates), bins)
        for row in result
    }


def profile_rows(rows: ibis.Table, bins: ProfileBins, tile: timedelta) -> dict[datetime, Profile]:
    """Profile a table that already has ``timestamp``, the columns of ``bins`` and ``y_true``."""
    result = _aggregate(rows.mutate(tile=_tile_number(rows.timestamp, tile)), bins)
    return {EPOCH + row["tile"] * tile: read_profile(row, bins) for row in result}


def hours_of_labels(predictions: ibis.Table, labels: ibis.Table) -> list[datetime]:
    """Return the UTC hours of the predictions that these labels belong to."""
    found = predictions.semi_join(labels, "prediction_id")
    hour = _tile_number(found.timestamp, HOUR)
    numbers = found.select(hour=hour).distinct().to_pyarrow().column("hour")
    return sorted(EPOCH + number * HOUR for number in numbers.to_pylist())


def tile_of(instant: datetime, tile: timedelta) -> datetime:
    """Return the start of the tile that holds an instant.

    Examples
    --------
    >>> tile_of(datetime(2013, 6, 1, 12, 40, tzinfo=UTC), timedelta(minutes=15)).minute
    30
    """
    return EPOCH + (instant - EPOCH) // tile * tile


def _aggregate(rows: ibis.Table, bins: ProfileBins) -> list[dict[str, Any]]:
    query = rows.group_by("tile").aggregate(**aggregates(rows, bins))
    found: list[dict[str, Any]] = query.to_pyarrow().to_pylist()
    return found


def _tile_number(timestamp: Any, tile: timedelta) -> Any:
    return epoch_us(timestamp) // (tile // MICROSECOND)


def _in_tiles(rows: ibis.Table, tiles: Collection[datetime], tile: timedelta) -> ibis.Table:
    first, last = min(tiles), max(tiles) + tile
    rows = rows.filter(rows.timestamp >= first, rows.timestamp < last)
    rows = rows.mutate(tile=_tile_number(rows.timestamp, tile))
    if len(tiles) * tile == last - first:
        return rows
    return rows.filter(rows.tile.isin([(start - EPOCH) // tile for start in tiles]))


def _first_of_each(predictions: ibis.Table) -> tuple[ibis.Table, ibis.Table | None]:
    """Split off repeated predictions; without any, the table is left as it is.

    Ranking whole rows is many times dearer than looking for repeats in the two key columns.
    """
    keys = predictions.group_by("prediction_id", "day").aggregate(rows=predictions.count())
    if not keys.filter(keys.rows > 1).limit(1).count().execute():
        return predictions, None
    rank = ibis.row_number().over(
        group_by=["prediction_id", "day"], order_by=["predicted_at", "sequence", "writer"]
    )
    ranked = predictions.mutate(rank=rank)
    return ranked.filter(ranked["rank"] == 0).drop("rank"), ranked.filter(ranked["rank"] > 0)


def _with_labels(rows: ibis.Table, labels: ibis.Table | None, now: datetime) -> ibis.Table:
    if labels is None:
        return rows.mutate(**{TRUTH: ibis.null("float64")})
    labels = labels.filter(labels.labelled_at <= now).semi_join(rows, "prediction_id")
    newest = ibis.row_number().over(
        group_by="prediction_id",
        order_by=[ibis.desc(name) for name in ("labelled_at", "received_at", "sequence")],
    )
    ranked = labels.select("prediction_id", TRUTH, "labelled_at", "received_at", "sequence").mutate(
        rank=newest
    )
    current = ranked.filter(ranked["rank"] == 0).select("prediction_id", TRUTH)
    return rows.left_join(current, "prediction_id").drop("prediction_id_right")


def _count(rows: ibis.Table) -> dict[int, int]:
    found = rows.group_by("tile").aggregate(rows=rows.count()).to_pyarrow().to_pylist()
    return {row["tile"]: row["rows"] for row in found}


def _duplicates(row: Mapping[str, Any], duplicates: Mapping[int, int]) -> dict[str, int]:
    return {"duplicates": duplicates.get(row["tile"], 0)}
