"""All labelled rows of a model, as they were known at one moment, in order of event time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from monitor.sql import identifier, literal, parquet_source, read_error, select
from monitor.tables import Table, Tables
from retrain.signature import feature_kinds, plain_features, plain_labels, with_free_text
from serving.frame import to_frame
from watchkeeper.errors import TableError
from watchkeeper.lake import Lake, LakeTable
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import ColumnKind, FeatureSchema
from watchkeeper.training import FEATURES_FILE, ROWS_FILE
from watchkeeper.window import Window

Mask = npt.NDArray[np.bool_]
_MEMORY = "1GB"
_TIME, _LABEL = "timestamp", "y_true"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """Labelled rows; the parts share one index, oldest row first.

    Parameters
    ----------
    features
        As the prediction log writes them.
    label
        Binary: 0 and 1; regression: float64; multi-class: strings.
    timestamps
        Event time in UTC.
    """

    features: pd.DataFrame
    label: pd.Series[Any]
    timestamps: pd.Series[Any]

    def __len__(self) -> int:
        return len(self.label)

    def between(self, start: datetime | None, end: datetime | None) -> Dataset:
        """Return the rows with ``start <= timestamp < end``; None is no bound."""
        keep = np.ones(len(self), dtype=bool)
        if start is not None:
            keep &= (self.timestamps >= start).to_numpy()
        if end is not None:
            keep &= (self.timestamps < end).to_numpy()
        return self.where(keep)

    def where(self, keep: Mask) -> Dataset:
        """Return some of the rows."""
        return Dataset(
            features=self.features[keep], label=self.label[keep], timestamps=self.timestamps[keep]
        )

    def days(self, zone: ZoneInfo) -> pd.Series[Any]:
        """Return the local calendar day of each row, as its midnight."""
        days: pd.Series[Any] = (
            self.timestamps.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
        )
        return days

    def rows_per_day(self, zone: ZoneInfo) -> dict[date, int]:
        """Return the number of rows of each local calendar day."""
        counts = self.days(zone).value_counts()
        return {pd.Timestamp(day).date(): int(count) for day, count in counts.items()}  # type: ignore[arg-type]

    def write(self, folder: Path, schema: FeatureSchema) -> None:
        """Write the rows as the training frame of a run."""
        folder.mkdir(parents=True, exist_ok=True)
        to_frame(schema, self.features).reset_index(drop=True).to_parquet(folder / FEATURES_FILE)
        rows = {"timestamp": self.timestamps, "label": self.label}
        pd.DataFrame(rows).assign(weight=1.0).reset_index(drop=True).to_parquet(folder / ROWS_FILE)


def read_table(
    path: str,
    settings: ModelSettings,
    now: datetime,
    kinds: Mapping[str, ColumnKind] | None = None,
) -> tuple[Dataset, dict[str, ColumnKind]]:
    """Read the mature labelled rows of a training table, and the kinds of its features.

    A label counts as available once its event time is ``label.delay`` ago and, where there is a
    column ``label.available_at``, that instant has passed.

    Parameters
    ----------
    kinds
        The features to read; None for those listed in the settings, or every column without
        another role.

    Raises
    ------
    TableError
        The table cannot be read, lacks a column, or holds values of another kind.
    """
    with Tables(memory=_MEMORY) as tables:
        table = tables.open(path)
        if kinds is None:
            kinds = feature_kinds(settings, table.types, path)
        for name in (settings.timestamp, settings.label.column, *kinds):
            if name not in table.types:
                raise TableError(f"no column {name!r}", table=path)
        frame = _fetch(tables, table.name, _table_query(table, settings, list(kinds), now))
    rows = _dataset(frame, settings, kinds)
    inferred = settings.features is None
    return rows, with_free_text(kinds, rows.features) if inferred else dict(kinds)


def read_lake(
    lake: Lake,
    settings: ModelSettings,
    kinds: Mapping[str, ColumnKind],
    *,
    after: datetime | None,
    now: datetime,
) -> tuple[Dataset, dict[str, int]]:
    """Read the predictions whose labels are mature, and the versions of the tables.

    Parameters
    ----------
    after
        Only rows with a later event time: earlier ones are in the training table.
    """
    predictions, labels = lake.predictions(settings.model), lake.labels(settings.model)
    versions = {f"predictions/{table.generation}": table.version for table in predictions}
    parts = []
    if labels is not None and labels.files():
        versions["labels"] = labels.version
        with Tables(memory=_MEMORY) as tables:
            for table in predictions:
                if table.files():
                    query = _lake_query(table, labels, settings, kinds, after=after, now=now)
                    parts.append(_fetch(tables, table.uri, query))
    if not parts:
        return _empty(settings, kinds), versions
    frame = pd.concat(parts, ignore_index=True).sort_values(_TIME, kind="stable")
    return _dataset(frame, settings, kinds), versions


def join(first: Dataset, second: Dataset) -> Dataset:
    """Return the rows of both, in order of event time."""
    stamps = pd.concat([first.timestamps, second.timestamps], ignore_index=True)
    order = stamps.argsort(kind="stable").to_numpy()
    features = pd.concat([first.features, second.features], ignore_index=True)
    label = pd.concat([first.label, second.label], ignore_index=True)
    return Dataset(
        features=features.iloc[order].reset_index(drop=True),
        label=label.iloc[order].reset_index(drop=True),
        timestamps=stamps.iloc[order].reset_index(drop=True),
    )


def outside(rows: Dataset, windows: Collection[Window]) -> Dataset:
    """Return the rows that lie in none of the windows."""
    keep = np.ones(len(rows), dtype=bool)
    for window in windows:
        stamps = rows.timestamps
        keep &= ~((stamps >= window.start) & (stamps < window.end)).to_numpy()
    return rows.where(keep)


def _table_query(table: Table, settings: ModelSettings, wanted: list[str], now: datetime) -> str:
    time = f"CAST({identifier(settings.timestamp)} AS TIMESTAMPTZ)"
    label = identifier(settings.label.column)
    delay = f"INTERVAL {int(settings.label.delay.total_seconds() * 1e6)} MICROSECONDS"
    known = [f"{label} IS NOT NULL", f"{time} + {delay} <= {_instant(now)}"]
    if settings.label.available_at in table.types:
        available = identifier(str(settings.label.available_at))
        known.append(f"CAST({available} AS TIMESTAMPTZ) <= {_instant(now)}")
    columns = [*map(identifier, wanted), f"{time} AS {_TIME}", f"{label} AS {_LABEL}"]
    where = f"WHERE {' AND '.join(known)} ORDER BY {time}"
    return select(columns, table.source, where)


def _lake_query(
    table: LakeTable,
    labels: LakeTable,
    settings: ModelSettings,
    kinds: Mapping[str, ColumnKind],
    *,
    after: datetime | None,
    now: datetime,
) -> str:
    present = set(table.schema.names)
    columns = [
        identifier(name) if name in present else f"NULL AS {identifier(name)}" for name in kinds
    ]
    mature = now - settings.label.delay
    since = "TRUE" if after is None else f"timestamp > {_instant(after)}"
    rows = select(
        ["prediction_id", "timestamp", *columns],
        _parquet(table),
        f"WHERE timestamp <= {_instant(mature)} AND {since}",
        "QUALIFY row_number() OVER (PARTITION BY prediction_id, day",
        "ORDER BY predicted_at, sequence, writer) = 1",
    )
    truth = select(
        ["prediction_id", _LABEL],
        _parquet(labels),
        f"WHERE labelled_at <= {_instant(now)}",
        "QUALIFY row_number() OVER (PARTITION BY prediction_id",
        "ORDER BY labelled_at DESC, received_at DESC, sequence DESC) = 1",
    )
    wanted = [f"p.{identifier(name)}" for name in kinds]
    return select(
        [*wanted, f"p.timestamp AS {_TIME}", f"l.{_LABEL}"],
        f"({rows}) p JOIN ({truth}) l USING (prediction_id)",
        f"WHERE l.{_LABEL} IS NOT NULL ORDER BY p.timestamp, p.prediction_id",
    )


def _parquet(table: LakeTable) -> str:
    return parquet_source(table.files(), hive=True)


def _instant(moment: datetime) -> str:
    return f"TIMESTAMPTZ {literal(moment.isoformat())}"


def _fetch(tables: Tables, name: str, query: str) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = tables.connection.sql(query).df()
    except duckdb.Error as exc:
        raise read_error(name, exc) from exc
    return frame


def _dataset(
    frame: pd.DataFrame, settings: ModelSettings, kinds: Mapping[str, ColumnKind]
) -> Dataset:
    # DuckDB keeps NaN apart from null; a label that is either is no label.
    frame = frame[frame[_LABEL].notna()].reset_index(drop=True)
    return Dataset(
        features=plain_features(frame, kinds),
        label=plain_labels(frame[_LABEL], settings),
        timestamps=frame[_TIME].dt.tz_convert("UTC").astype("datetime64[us, UTC]"),
    )


def _empty(settings: ModelSettings, kinds: Mapping[str, ColumnKind]) -> Dataset:
    features = plain_features(pd.DataFrame({name: [] for name in kinds}), kinds)
    return Dataset(
        features=features,
        label=plain_labels(pd.Series([], dtype=object), settings),
        timestamps=pd.Series([], dtype="datetime64[us, UTC]"),
    )
