"""What a table holds in each tile of time, by one cheap scan, and how long its labels take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.profiles.connection import instant
from monitor.profiles.query import EPOCH, MICROSECOND
from monitor.sources.expressions import within
from monitor.sources.mapping import KNOWN_AT, LABEL, label_columns, tile_number, time_of
from monitor.sql import select
from monitor.tables import Table, Tables
from watchkeeper.model_settings import ModelSettings

#: Labels of a window are complete when this share of them has come.
_COMPLETE = 0.995


@dataclass(frozen=True, kw_only=True, slots=True)
class TileCount:
    """What a tile of a table holds.

    Parameters
    ----------
    rows, labels
        Rows, and those of them with a label that was known at the time that was asked for.
    last_known
        When the last label of all became known; None without labels.
    """

    start: datetime
    rows: int
    labels: int
    last_known: datetime | None


def tile_counts(
    tables: Tables, table: Table, settings: ModelSettings, known_until: datetime | None = None
) -> list[TileCount]:
    """Count rows and labels of every tile, in order of time.

    Parameters
    ----------
    known_until
        Labels that become known later are not counted; None counts all.
    """
    tile, known = settings.windows.tile, LABEL
    if known_until is not None:
        known = f"CASE WHEN {KNOWN_AT} <= {instant(known_until)} THEN {LABEL} END"
    query = select(
        [
            f"{tile_number('timestamp', tile)} AS tile",
            "count(*)",
            f"count({known})",
            f"max(CASE WHEN {LABEL} IS NOT NULL THEN epoch_us({KNOWN_AT}) END)",
        ],
        _labelled(table, settings),
        "GROUP BY 1 ORDER BY 1",
    )
    return [
        TileCount(
            start=EPOCH + number * tile,
            rows=rows,
            labels=labels,
            last_known=None if last is None else EPOCH + last * MICROSECOND,
        )
        for number, rows, labels, last in tables.query(table, query)
    ]


def with_label_delay(tables: Tables, table: Table, settings: ModelSettings) -> ModelSettings:
    """Return settings that say how long labels take, from a table that knows when each came.

    What the settings say themselves stands.
    """
    label = settings.label
    if label.available_at is None or "delay" in label.model_fields_set:
        return settings
    lag = f"epoch_us({KNOWN_AT}) - epoch_us(timestamp)"
    query = select(
        [f"quantile_disc({lag}, {_COMPLETE})"],
        _labelled(table, settings),
        f"WHERE {LABEL} IS NOT NULL",
    )
    found = tables.query(table, query)[0][0]
    step = settings.windows.tile
    delay = -(-timedelta(microseconds=max(found or 0, 0)) // step) * step
    return settings.model_copy(update={"label": label.model_copy(update={"delay": delay})})


def between(
    tables: Tables,
    table: Table,
    settings: ModelSettings,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Table:
    """Return the part of a table whose times lie in ``[start, end)``."""
    time = settings.timestamp
    inside = within(time, table.types[time], start, end)
    source = f"({select(['*'], table.source, f'WHERE {inside}')})"
    rows = tables.query(table, select(["count(*)"], source))[0][0]
    return replace(table, source=source, rows=int(rows))


def _labelled(table: Table, settings: ModelSettings) -> str:
    columns = [f"{time_of(table, settings)} AS timestamp", *label_columns(table, settings)]
    return f"({select(columns, table.source)})"
