"""Fit what a reference lets one expect of windows whose labels are still on their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.edges import SelectableTable
from monitor.estimation.binary import fit_binary
from monitor.estimation.estimator import Estimator, Kind
from monitor.estimation.multiclass import ClassEstimator, fit_classes
from monitor.estimation.regression import LossEstimator, fit_losses
from monitor.profiles.bins import PREDICTED, SCORE, ProfileBins
from monitor.profiles.model import Profile
from monitor.profiles.outcome_counts import TRUTH
from monitor.profiles.score_cells import n_scores
from watchkeeper.schema import Task

#: Labelled rows that teach an estimator of classes or losses enough; more are not read.
_MOST_ROWS = 200_000


def fit_estimator(
    rows: pa.Table | SelectableTable,
    bins: ProfileBins,
    whole: Profile,
    windows: Sequence[Profile],
    *,
    scored: bool,
) -> Estimator | None:
    """Fit the estimator of a reference; None where its labels or scores are too few.

    Parameters
    ----------
    rows
        The reference's rows, with the columns of the prediction log and the label.
    whole, windows
        Profiles of all its rows, and of its whole windows.
    scored
        Whether the model gives probabilities.
    """
    kind = _kind(rows, bins, whole, scored=scored)
    if kind is None:
        return None
    return Estimator(task=bins.task, kind=kind, inflation={}).learn(windows)


def _kind(
    rows: pa.Table | SelectableTable, bins: ProfileBins, whole: Profile, *, scored: bool
) -> Kind | None:
    if not whole.labels:
        return None
    if bins.task is Task.BINARY:
        return fit_binary(whole.outcomes)
    if bins.task is Task.REGRESSION:
        return _losses(rows, bins)
    counted = scored and n_scores(bins.task, len(bins.classes)) > 0
    return _classes(rows, bins) if counted else None


def _losses(rows: pa.Table | SelectableTable, bins: ProfileBins) -> LossEstimator | None:
    labels, predicted = (_numbers(_column(rows, name)) for name in (TRUTH, PREDICTED))
    known = np.isfinite(labels) & np.isfinite(predicted)
    return fit_losses(labels[known], predicted[known], bins.columns[PREDICTED].edges)


def _classes(rows: pa.Table | SelectableTable, bins: ProfileBins) -> ClassEstimator | None:
    names, scores = _column(rows, TRUTH), _column(rows, SCORE)
    keep = np.flatnonzero(np.array(names.is_valid()) & np.array(scores.is_valid()))
    number = {name: index for index, name in enumerate(bins.classes)}
    labels = [number.get(str(name), len(number)) for name in names.take(keep).to_pylist()]
    table = np.array(scores.take(keep).to_pylist(), dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(bins.classes):
        return None
    known = ((table >= 0) & (table <= 1)).all(axis=1)
    return fit_classes(np.array(labels, dtype=np.int64)[known], table[known])


def _column(rows: pa.Table | SelectableTable, name: str) -> Any:
    """Return a column, evenly thinned where there are more rows than are needed."""
    column = (rows if isinstance(rows, pa.Table) else rows.select(name).to_pyarrow()).column(name)
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    step = -(-len(column) // _MOST_ROWS)
    return column if step <= 1 else column.take(np.arange(0, len(column), step))


def _numbers(column: Any) -> NDArray[np.float64]:
    values = column.cast("float64", safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64)
