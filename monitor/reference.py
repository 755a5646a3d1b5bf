"""The reference of a model version: what its windows are compared with, fitted once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from monitor.budget import Budget, back_test
from monitor.detection.past import Past
from monitor.edges import ColumnBins, SelectableTable, fit_bins
from monitor.estimation.estimator import Estimator
from monitor.estimator_fit import fit_estimator
from monitor.habits import Habit, learn_habits
from monitor.performance.blocks import blocks_of
from monitor.performance.interval import Performance, measure
from monitor.performance.table import metric_of, metrics_of
from monitor.period import cycles_of, note_on
from monitor.profiles.bins import PREDICTED, SCORE, ProfileBins, output_column, top_values
from monitor.profiles.connection import connect
from monitor.profiles.model import Profile
from monitor.profiles.own_values import function_of
from monitor.profiles.query import profile_rows
from monitor.profiles.segments import Segment
from monitor.row_windows import lasting
from monitor.samples import Sample, sample_of_table
from monitor.season_habits import SeasonHabits, learn_seasons
from monitor.segment_habits import SegmentHabits, learn_segments
from monitor.usual import Usual, learn_usual
from watchkeeper.business_value import BUSINESS_VALUE
from watchkeeper.errors import InputError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.own_metrics import NONE, OwnMetrics
from watchkeeper.schema import ColumnKind, FeatureSchema, Task
from watchkeeper.window import Window, window_at

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A fixed reference.

    Parameters
    ----------
    kind
        ``fixed``: the newest, held-out part of the training period.
    bins
        Fitted on these rows; every profile of the version is counted on them.
    profile
        Of all its rows.
    start, end
        Event time of the rows, ``[start, end)`` in whole tiles.
    performance
        By metric; empty when the rows have no labels.
    habits
        By column.
    seasons
        What the hours of the week or day look like; None where windows are days or longer.
    usual
        What is usual for the data; None for references stored before it was learned.
    segments
        What is usual for each declared segment.
    estimator
        What it lets one expect before labels arrive; None where its labels are too few.
    past, budget
        Its labels by window, and what the alarm budget is worth by them; once stored, both are
        kept elsewhere.
    sample
        Some of its rows, where they were in memory; once stored, it is kept elsewhere.
    note
        How the windows do not fit the cycles of its rows; None when they do, and once stored.
    id
        None until it is stored.
    """

    bins: ProfileBins
    profile: Profile
    start: datetime
    end: datetime
    performance: Mapping[str, Performance]
    habits: Mapping[str, Habit]
    seasons: SeasonHabits | None = None
    estimator: Estimator | None = None
    usual: Usual | None = None
    segments: Mapping[Segment, SegmentHabits] = field(default_factory=dict)
    past: Past | None = None
    budget: Budget | None = None
    sample: Sample | None = None
    note: str | None = None
    kind: str = "fixed"
    id: int | None = None

    def level(self, metric: str, own: OwnMetrics = NONE) -> float | None:
        """Return the metric on the reference; None when it is unknown.

        Parameters
        ----------
        own
            What the owner's own are made from: today's cost matrix, not the one of the fit.
        """
        if metric == BUSINESS_VALUE and own.value is not None and self.profile.labels:
            return float(metric_of(metric, own).value(self.profile.outcomes))
        known = self.performance.get(metric)
        return None if known is None else known.value


def fit_reference(
    frame: pd.DataFrame,
    *,
    schema: FeatureSchema,
    settings: ModelSettings,
    timestamps: pd.Series[Any],
    y_pred: Any,
    y_pred_proba: Any = None,
    y_true: Any = None,
    seen: Mapping[str, tuple[float, float]] | None = None,
) -> Reference:
    """Fit the reference of a version on rows that it was not trained on.

    Give it the newest part of the training period, never a random split: rows that lie between
    training rows flatter the model, and windows after them would look like decay.

    Parameters
    ----------
    frame
        The features, one row per prediction.
    timestamps
        Event time of each row, aware.
    y_pred, y_pred_proba
        What the version says of each row, as in the prediction log; the latter None where it
        gives none.
    y_true
        The label of each row, null where there is none; None when there are no labels at all.
    seen
        Smallest and largest finite value of columns in training: what the model has seen there is
        within range, though the rows of the reference, being newer and fewer, may not show it.

    Raises
    ------
    InputError
        There are no rows.
    """
    if len(frame) == 0:
        raise InputError("expected rows to fit a reference on, got none")
    outputs = {"y_pred": y_pred, "y_pred_proba": y_pred_proba, "y_true": y_true}
    rows = rows_of(frame, schema, timestamps=timestamps, **outputs)
    reference = reference_of(
        rows,
        lambda bins: profile_table(rows, bins, settings),
        schema=schema,
        settings=settings,
        scored=y_pred_proba is not None,
        seen=seen,
    )
    return replace(reference, sample=sample_of_table(rows))


def reference_of(
    rows: pa.Table | SelectableTable,
    profile: Callable[[ProfileBins], Mapping[datetime, Profile]],
    *,
    schema: FeatureSchema,
    settings: ModelSettings,
    scored: bool,
    seen: Mapping[str, tuple[float, float]] | None = None,
) -> Reference:
    """Fit a reference on rows wherever they are.

    Parameters
    ----------
    rows
        What the bins are fitted on, with the columns of the prediction log; at least one row.
    profile
        Profiles the same rows on the fitted bins, tile by tile.
    scored
        Whether a binary model gives probabilities.
    """
    watched = [*schema.columns, output_column(schema, scored=scored)]
    fitted = {name: _widen(bins, seen, name) for name, bins in fit_bins(rows, watched).items()}
    segments = {
        name: top_values(fitted[name])
        for name in settings.segments
        if name in fitted and fitted[name].kind is ColumnKind.CATEGORICAL
    }
    function = settings.own_metrics.function
    bins = ProfileBins(
        columns=fitted,
        task=schema.task,
        classes=schema.classes,
        segments=segments,
        function=None if function is None else function.metric,
    )
    tiles = profile(bins)
    whole = Profile.merge(tiles.values(), bins.layout)
    span = max(tiles) + settings.windows.tile - min(tiles)
    of_rows = settings.windows.rows is not None
    settings = lasting(settings, rows=whole.rows, span=span)
    pieces = _whole_windows(tiles, settings)
    windows = [(start, Profile.merge(parts, bins.layout)) for start, parts in pieces]
    quarters = [
        Profile.merge(part, bins.layout) for _, parts in pieces for part in _quarters(parts)
    ]
    outcomes = {start: tile.outcomes for start, tile in tiles.items()}
    blocks = blocks_of(outcomes, settings.windows.timezone)
    performance = {
        metric.name: measure(metric, blocks)
        for metric in metrics_of(schema.task, settings.own_metrics)
        if whole.labels
    }
    # Windows of rows may be shorter than the tiles that a reference is learned from.
    unit = max(settings.windows.size, settings.windows.tile)
    past = Past.of(outcomes, unit, settings.windows.timezone)
    decisive = performance.get(settings.tolerance.metric)
    return Reference(
        bins=bins,
        profile=whole,
        start=min(tiles),
        end=max(tiles) + settings.windows.tile,
        performance=performance,
        past=past,
        budget=back_test(past, settings, None if decisive is None else decisive.value),
        habits=learn_habits([profile for _, profile in windows], whole, quarters),
        # Windows of so many rows come at any hour.
        seasons=None
        if of_rows
        else learn_seasons(windows, settings.windows.size, settings.windows.timezone),
        usual=learn_usual([profile for _, profile in windows], tiles, whole),
        segments=learn_segments(
            [profile for _, profile in windows],
            tiles,
            whole,
            metric=metric_of(settings.tolerance.metric, settings.own_metrics),
            zone=settings.windows.timezone,
        ),
        estimator=fit_estimator(
            rows, bins, whole, [profile for _, profile in windows], scored=scored
        ),
        note=_note(tiles, settings),
    )


def _note(tiles: Mapping[datetime, Profile], settings: ModelSettings) -> str | None:
    # Windows of so many rows fit no cycle, and are not meant to.
    if settings.windows.by_rows:
        return None
    spanned = max(tiles) - min(tiles) + settings.windows.tile
    cycles = cycles_of(tiles, settings.windows.timezone)
    return note_on(cycles, settings.windows.size, spanned)


def _widen(
    bins: ColumnBins, seen: Mapping[str, tuple[float, float]] | None, name: str
) -> ColumnBins:
    if not seen or name not in seen or bins.minimum is None or bins.maximum is None:
        return bins
    low, high = seen[name]
    return replace(bins, minimum=min(bins.minimum, low), maximum=max(bins.maximum, high))


def profile_frame(
    frame: pd.DataFrame,
    reference: Reference,
    *,
    schema: FeatureSchema,
    settings: ModelSettings,
    timestamps: pd.Series[Any],
    y_pred: Any,
    y_pred_proba: Any = None,
    y_true: Any = None,
) -> dict[datetime, Profile]:
    """Profile rows that are in memory on the bins of a reference, tile by tile."""
    outputs = {"y_pred": y_pred, "y_pred_proba": y_pred_proba, "y_true": y_true}
    rows = rows_of(frame, schema, timestamps=timestamps, **outputs)
    return profile_table(rows, reference.bins, settings)


def profile_table(
    rows: pa.Table, bins: ProfileBins, settings: ModelSettings
) -> dict[datetime, Profile]:
    """Profile a table with the columns of the prediction log and ``y_true``, tile by tile."""
    with connect() as connection:
        source, function = connection.arrow(rows), function_of(bins, settings)
        return profile_rows(connection, source, bins, settings.windows.tile, function)


def rows_of(
    frame: pd.DataFrame,
    schema: FeatureSchema,
    *,
    timestamps: pd.Series[Any],
    y_pred: Any,
    y_pred_proba: Any,
    y_true: Any,
) -> pa.Table:
    """Return rows of memory in the types of the prediction log, with their labels."""
    types = {
        ColumnKind.NUMERICAL: pa.float64(),
        ColumnKind.DATETIME: pa.timestamp("us", tz="UTC"),
    }
    columns: dict[str, pa.Array] = {
        column.name: _array(frame[column.name], types.get(column.kind, pa.string()))
        for column in schema.columns
    }
    answer = pa.float64() if schema.task is Task.REGRESSION else pa.string()
    label = pa.int64() if schema.task is Task.BINARY else answer
    score = pa.list_(pa.float64()) if schema.task is Task.MULTICLASS else pa.float64()
    columns["timestamp"] = _array(timestamps, pa.timestamp("us", tz="UTC"))
    columns[PREDICTED] = _array(y_pred, label)
    columns["y_true"] = pa.nulls(len(frame), label) if y_true is None else _array(y_true, label)
    if y_pred_proba is not None:
        chances = list(y_pred_proba) if schema.task is Task.MULTICLASS else y_pred_proba
        columns[SCORE] = _array(chances, score)
    return pa.table(columns)


def _array(values: Any, type_: pa.DataType) -> pa.Array:
    found = pa.array(values, from_pandas=True)
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    if pa.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    return found.cast(type_, safe=False)


def _whole_windows(
    tiles: Mapping[datetime, Profile], settings: ModelSettings
) -> list[tuple[datetime, list[Profile]]]:
    """Group tiles by window, and leave out the first and the last one, which may be cut."""
    size, zone = settings.windows.size, settings.windows.timezone
    found: dict[Window, list[Profile]] = {}
    for start in sorted(tiles):
        found.setdefault(window_at(start, size, zone), []).append(tiles[start])
    return [(window.start, parts) for window, parts in found.items()][1:-1]


def _quarters(tiles: Sequence[Profile]) -> list[Sequence[Profile]]:
    """Cut a window into four parts of about as many tiles; those that are empty are left out."""
    cuts = [round(len(tiles) * number / 4) for number in range(5)]
    return [tiles[first:last] for first, last in pairwise(cuts) if last > first]
