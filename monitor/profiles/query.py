"""Profiles of tiles by one aggregate query, over the prediction log joined with its labels."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import ibis
import pyarrow as pa

from monitor.profiles.bins import PREDICTED, SCORE, ProfileBins
from monitor.profiles.connection import Connection, Source, instant
from monitor.profiles.counting import aggregates
from monitor.profiles.functions import epoch_us
from monitor.profiles.model import Profile
from monitor.profiles.outcome_counts import TRUTH
from monitor.profiles.own_values import valued
from monitor.profiles.quality_query import OCCURRED
from monitor.profiles.reading import read_profiles
from monitor.sql import identifier, select
from watchkeeper.metric_function import MetricFunction

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Columns of the log that the query needs, beside the features and the model's output.
_KEYS = ("prediction_id", "timestamp", "predicted_at", "writer", "sequence", "day")
#: Columns of the labels.
_LABEL_KEYS = ("prediction_id", TRUTH, "labelled_at", "received_at", "sequence")
_COMPILED = 512
#: Column of the result that no feature bears the name of.
_SEGMENT = " segment"


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

    predictions: Source
    labels: Source | None


def versions_in(
    connection: Connection, log: Log, tiles: Collection[datetime], tile: timedelta
) -> list[int]:
    """Return the model versions that have rows in these tiles."""
    first, last = instant(min(tiles)), instant(max(tiles) + tile)
    within = f"WHERE timestamp >= {first} AND timestamp < {last}"
    rows = connection.rows(select(["DISTINCT version"], log.predictions.sql, within))
    return sorted(row["version"] for row in rows)


def profile_tiles(
    connection: Connection,
    log: Log,
    bins: ProfileBins,
    *,
    version: int,
    tiles: Collection[datetime],
    tile: timedelta,
    now: datetime,
    function: MetricFunction | None = None,
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
    function
        What of the owner's own is summed; None for nothing.
    """
    present = {name for name, _ in log.predictions.columns}
    wanted = tuple(
        name
        for name in dict.fromkeys([*_KEYS, OCCURRED, *bins.columns, PREDICTED, SCORE])
        if name in present
    )
    of_version = f"WHERE version = {version}"
    columns = map(identifier, wanted)
    connection.view("predictions", select(columns, log.predictions.sql, of_version))
    if log.labels is not None:
        known = f"WHERE labelled_at <= {instant(now)}"
        connection.view("labels", select(_LABEL_KEYS, log.labels.sql, known))
    numbers = pa.table({"tile": pa.array([(start - EPOCH) // tile for start in tiles], pa.int64())})
    connection.view("tiles", select(["tile"], connection.arrow(numbers).sql))
    kept = _Kept(
        predictions=tuple(column for column in log.predictions.columns if column[0] in wanted),
        labels=None if log.labels is None else log.labels.columns,
        tile=tile,
        repeats=_repeats(connection),
    )
    if function is not None:
        return _profile_kept(connection, kept, bins, function)

    def found(segment: str | None) -> list[dict[str, Any]]:
        return connection.rows(_compiled(bins, kept, segment))

    return read_tiles(found, bins, tile)


def _profile_kept(
    connection: Connection, kept: _Kept, bins: ProfileBins, function: MetricFunction
) -> dict[datetime, Profile]:
    """Profile rows that the function must see first, one by one."""
    rows, later = _compiled_kept(kept)
    found = profile_rows(connection, rows, bins, kept.tile, function)
    for row in connection.rows(later) if later else ():
        start = EPOCH + row["tile"] * kept.tile
        found[start] = replace(found[start], duplicates=row["duplicates"])
    return found


def profile_rows(
    connection: Connection,
    rows: Source,
    bins: ProfileBins,
    tile: timedelta,
    function: MetricFunction | None = None,
) -> dict[datetime, Profile]:
    """Profile a table that already has ``timestamp``, the columns of ``bins`` and ``y_true``.

    Parameters
    ----------
    function
        What of the owner's own is summed; None for nothing.
    """
    with valued(connection, rows, function, bins) as source:

        def found(segment: str | None) -> list[dict[str, Any]]:
            return connection.rows(_compiled_rows(bins, source, tile, segment))

        return read_tiles(found, bins, tile)


def read_tiles(
    query: Callable[[str | None], list[dict[str, Any]]],
    bins: ProfileBins,
    tile: timedelta,
) -> dict[datetime, Profile]:
    """Read what the query finds, grouped by the first column of segments if there is any.

    The rows of all values are the whole, so that one column of segments costs no further scan.
    """
    columns: list[str | None] = [*bins.segments] or [None]
    found: dict[datetime, Profile] = {}
    for number, column in enumerate(columns):
        parts: dict[datetime, dict[str | None, Profile]] = {}
        rows = query(column)
        for row, profile in zip(rows, read_profiles(rows, bins), strict=True):
            own = parts.setdefault(EPOCH + row["tile"] * tile, {})
            # What was left out of a tile is joined to the row of each of its segments.
            own[row.get(_SEGMENT)] = replace(profile, duplicates=0) if own else profile
        for start, own in parts.items():
            if column is None:
                whole = own[None]
            else:
                whole = found[start] if number else Profile.merge(own.values(), bins.layout)
            segments = {(column or "", value): part for value, part in own.items() if value}
            found[start] = replace(whole, segments={**whole.segments, **segments})
    return found


def _grouped(rows: ibis.Table, bins: ProfileBins, segment: str | None) -> ibis.Table:
    rows, keys = by_segment(rows, bins, segment)
    return rows.group_by(keys).aggregate(**aggregates(rows, bins))


def by_segment(
    rows: ibis.Table, bins: ProfileBins, segment: str | None
) -> tuple[ibis.Table, list[str]]:
    """Return rows with the value of their segment, null for none, and the columns to group by."""
    if segment is None:
        return rows, ["tile"]
    value = rows[segment].cast("string") if segment in rows.columns else ibis.null("string")
    listed = value.isin(list(bins.segments[segment]))
    rows = rows.mutate(**{_SEGMENT: listed.ifelse(value, ibis.null("string"))})
    return rows, ["tile", _SEGMENT]


def tile_of(instant: datetime, tile: timedelta) -> datetime:
    """Return the start of the tile that holds an instant.

    Examples
    --------
    >>> tile_of(datetime(2013, 6, 1, 12, 40, tzinfo=UTC), timedelta(minutes=15)).minute
    30
    """
    return EPOCH + (instant - EPOCH) // tile * tile


@lru_cache(maxsize=_COMPILED)
def _compiled_rows(bins: ProfileBins, rows: Source, tile: timedelta, segment: str | None) -> str:
    table = ibis.table(ibis.Schema.from_pyarrow(rows.schema), name=rows.sql)
    table = table.mutate(tile=_tile_number(table.timestamp, tile))
    return _sql(_grouped(table, bins, segment))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """What a query over the views ``predictions``, ``labels`` and ``tiles`` looks like.

    Parameters
    ----------
    predictions, labels
        Their columns.
    repeats
        Whether any prediction is there twice.
    """

    predictions: tuple[tuple[str, pa.DataType], ...]
    labels: tuple[tuple[str, pa.DataType], ...] | None
    tile: timedelta
    repeats: bool


@lru_cache(maxsize=_COMPILED)
def _compiled(bins: ProfileBins, kept: _Kept, segment: str | None) -> str:
    """Return the query that profiles what is kept.

    Making it takes longer than running it over an hour's rows, and it is the same every time.
    """
    labelled, later = _labelled(kept)
    result = _grouped(labelled, bins, segment)
    if later is not None:
        result = result.left_join(later, "tile").drop("tile_right")
    return _sql(result)


@lru_cache(maxsize=_COMPILED)
def _compiled_kept(kept: _Kept) -> tuple[Source, str | None]:
    """Return the rows that are kept, with their labels, and a query for what is left out."""
    labelled, later = _labelled(kept)
    labelled = labelled.drop("tile")
    schema = labelled.schema().to_pyarrow()
    rows = Source(
        sql=f"({_sql(labelled)})", columns=tuple((field.name, field.type) for field in schema)
    )
    return rows, None if later is None else _sql(later)


def _labelled(kept: _Kept) -> tuple[ibis.Table, ibis.Table | None]:
    """Return the rows that count, with their tile and label, and how many others tiles hold."""
    named = ibis.Schema.from_pyarrow(pa.schema(list(kept.predictions)))
    rows = ibis.table(named, name="predictions")
    wanted = ibis.table({"tile": "int64"}, name="tiles")
    if kept.repeats:
        rank = ibis.row_number().over(
            group_by=["prediction_id", "day"], order_by=["predicted_at", "sequence", "writer"]
        )
        rows = rows.mutate(rank=rank)
    rows = rows.mutate(tile=_tile_number(rows.timestamp, kept.tile)).semi_join(wanted, "tile")
    if not kept.repeats:
        return _with_labels(rows, kept.labels), None
    first = rows.filter(rows["rank"] == 0).drop("rank")
    later = rows.filter(rows["rank"] > 0).group_by("tile").aggregate(duplicates=ibis._.count())
    return _with_labels(first, kept.labels), later


def _sql(query: ibis.Table) -> str:
    return str(ibis.to_sql(query, dialect="duckdb", pretty=False))


def _tile_number(timestamp: Any, tile: timedelta) -> Any:
    return epoch_us(timestamp) // (tile // MICROSECOND)


def _repeats(connection: Connection) -> bool:
    """Whether any prediction is there twice; ranking all rows to find out would be far dearer."""
    return bool(
        connection.rows(
            "SELECT 1 AS found FROM predictions GROUP BY prediction_id, day "
            "HAVING count(*) > 1 LIMIT 1"
        )
    )


def _with_labels(
    rows: ibis.Table, columns: tuple[tuple[str, pa.DataType], ...] | None
) -> ibis.Table:
    if columns is None:
        return rows.mutate(**{TRUTH: ibis.null("float64")})
    known = pa.schema([column for column in columns if column[0] in _LABEL_KEYS])
    labels = ibis.table(ibis.Schema.from_pyarrow(known), name="labels")
    labels = labels.semi_join(rows, "prediction_id")
    newest = ibis.row_number().over(
        group_by="prediction_id",
        order_by=[ibis.desc(name) for name in ("labelled_at", "received_at", "sequence")],
    )
    ranked = labels.mutate(rank=newest)
    current = ranked.filter(ranked["rank"] == 0).select("prediction_id", TRUTH)
    return rows.left_join(current, "prediction_id").drop("prediction_id_right")
