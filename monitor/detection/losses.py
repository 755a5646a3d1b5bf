"""Every metric as a mean of losses: what one window says against a limit, from its outcomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.detection.micro_blocks import micro_block_losses
from monitor.performance.outcomes import Outcomes
from monitor.performance.scores import midpoints
from monitor.performance.table import METRICS
from watchkeeper.business_value import BUSINESS_VALUE, CostMatrix
from watchkeeper.own_metrics import NONE, OwnMetrics
from watchkeeper.schema import Task

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """The losses of a window; the metric, turned so that more is worse, is Σ loss / Σ size.

    Parameters
    ----------
    loss, size
        Shape ``(n,)``. A row counts in the metric with its size: 1 for a mean over rows.
    count
        How often each occurs, shape ``(n,)``.
    rows
        Rows behind each, shape ``(n,)``: 1 where losses are those of rows.
    """

    loss: Floats
    size: Floats
    count: Floats
    rows: Floats

    @property
    def level(self) -> float:
        """Σ loss / Σ size; NaN without any."""
        size = float((self.count * self.size).sum())
        return float((self.count * self.loss).sum()) / size if size > 0 else math.nan

    @property
    def weight(self) -> float:
        """Rows in all."""
        return float((self.count * self.rows).sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class Surrogate:
    """How a metric is turned into losses.

    Parameters
    ----------
    of
        From the outcomes of a window's tiles to losses; None for the ROC AUC, whose pairs are
        drawn.
    to_loss
        From a value of the metric to the level of the loss.
    by_row
        Whether the losses are those of rows (or of small groups of rows) and bounded; otherwise
        they are those of tiles.
    capped
        Whether a row's loss needs a cap to be bounded.
    """

    of: Callable[[Sequence[Outcomes]], Losses] | None
    to_loss: Callable[[float], float]
    by_row: bool = True
    capped: bool = False

    def losses(
        self, tiles: Sequence[Outcomes], generator: np.random.Generator, cap: float = math.inf
    ) -> Losses:
        """Return the losses of a window, those of rows at most ``cap``; at least one tile."""
        found = _in_groups(tiles, generator) if self.of is None else self.of(tiles)
        return replace(found, loss=np.minimum(found.loss, cap)) if self.capped else found


def surrogate_of(metric: str, task: Task, own: OwnMetrics = NONE) -> Surrogate:
    """Return how a metric of a task is turned into losses.

    Parameters
    ----------
    own
        What the metrics of the owner's own are made from.

    Examples
    --------
    >>> surrogate_of("accuracy", Task.MULTICLASS).to_loss(0.9).__round__(3)
    0.1
    """
    if metric == BUSINESS_VALUE and own.value is not None:
        return _of_matrix(own.value)
    if own.function is not None and own.function.metric == metric:
        sign = -1.0 if own.function.higher_is_better else 1.0
        of = _of_sums("own_value", "own_weight", sign)
        return Surrogate(of=of, to_loss=_opposite if sign < 0 else _same, by_row=False)
    if metric in _SUMS:
        return Surrogate(of=_of_sums(*_SUMS[metric]), to_loss=_TO_LOSS[metric], by_row=False)
    if metric == "log_loss" and task is Task.MULTICLASS:
        return Surrogate(of=_of_sums("log_loss", "scored"), to_loss=_same, by_row=False)
    if metric in _ROWS and (task is Task.BINARY or metric == "accuracy"):
        to_loss = _same if metric in ("log_loss", "brier") else _complement
        return Surrogate(of=_ROWS[metric], to_loss=to_loss, capped=metric == "log_loss")
    to_loss = _complement if METRICS[metric].higher_is_better else _same
    return Surrogate(of=_of_pseudo_values(metric), to_loss=to_loss, by_row=False)


def _same(value: float) -> float:
    return value


def _complement(value: float) -> float:
    return 1 - value


def _opposite(value: float) -> float:
    return -value


def _square(value: float) -> float:
    return value**2


def _total(tiles: Sequence[Outcomes]) -> Outcomes:
    return Outcomes.stack(tiles).total()


def _counted(loss: Floats, count: Floats, size: Floats | None = None) -> Losses:
    kept = count > 0
    one = np.ones(int(kept.sum()))
    return Losses(
        loss=loss[kept],
        size=one if size is None else size[kept],
        count=count[kept].astype(np.float64),
        rows=one,
    )


def _log_loss(tiles: Sequence[Outcomes]) -> Losses:
    negatives, positives = _total(tiles).scored()
    middle = midpoints()
    loss = np.concatenate([-np.log1p(-middle), -np.log(middle)])
    return _counted(loss, np.concatenate([negatives, positives]))


def _brier(tiles: Sequence[Outcomes]) -> Losses:
    negatives, positives = _total(tiles).scored()
    middle = midpoints()
    loss = np.concatenate([middle**2, (1 - middle) ** 2])
    return _counted(loss, np.concatenate([negatives, positives]))


def _errors(right: float, wrong: float) -> Losses:
    return _counted(np.array([0.0, 1.0]), np.array([right, wrong]))


def _accuracy(tiles: Sequence[Outcomes]) -> Losses:
    total = _total(tiles)
    if total.task is Task.MULTICLASS:
        right = float(total.by_class(2).sum())
    else:
        right = float(total.counts[0] + total.counts[3])
    return _errors(right, float(total.rows) - right)


def _precision(tiles: Sequence[Outcomes]) -> Losses:
    counts = _total(tiles).counts
    return _errors(float(counts[3]), float(counts[1]))


def _recall(tiles: Sequence[Outcomes]) -> Losses:
    counts = _total(tiles).counts
    return _errors(float(counts[3]), float(counts[2]))


def _of_matrix(matrix: CostMatrix) -> Surrogate:
    """Use the value that a row falls short of the best outcome, as a share of the matrix's span."""
    loss = (matrix.best - np.asarray(matrix.values)) / matrix.span

    def of(tiles: Sequence[Outcomes]) -> Losses:
        return _counted(loss, _total(tiles).counts[:4].astype(np.float64))

    def to_loss(value: float) -> float:
        return (matrix.best - value) / matrix.span

    return Surrogate(of=of, to_loss=to_loss)


def _f1(tiles: Sequence[Outcomes]) -> Losses:
    """One less F1 is (FP + FN) / (2 TP + FP + FN): a true positive counts as two without loss."""
    counts = _total(tiles).counts
    wrong = float(counts[1] + counts[2])
    size = np.array([2.0, 1.0])
    return _counted(np.array([0.0, 1.0]), np.array([float(counts[3]), wrong]), size)


def _in_groups(tiles: Sequence[Outcomes], generator: np.random.Generator) -> Losses:
    negatives, positives = _total(tiles).scored()
    values, counts = np.unique(
        micro_block_losses(negatives, positives, generator), return_counts=True
    )
    return _counted(values, counts.astype(np.float64))


def _of_sums(
    loss: str, size: str | None, sign: float = 1.0
) -> Callable[[Sequence[Outcomes]], Losses]:
    def of(tiles: Sequence[Outcomes]) -> Losses:
        stacked = Outcomes.stack(tiles)
        rows = stacked.rows.astype(np.float64)
        if size == "variation":
            mean = stacked.sum_of("label").sum() / max(rows.sum(), 1.0)
            sizes = (
                stacked.sum_of("label_squared")
                - 2 * mean * stacked.sum_of("label")
                + rows * mean**2
            )
        else:
            sizes = rows if size is None else stacked.sum_of(size)
        return _tiles(sign * stacked.sum_of(loss), sizes, rows)

    return of


def _of_pseudo_values(
    name: str,
) -> Callable[[Sequence[Outcomes]], Losses]:
    """Use jackknife pseudo-values of the tiles, which behave like independent values.

    Those of a binary model are of the window as a whole: with few rows its curves are biased, in
    a tile more than in a window.
    """
    metric = METRICS[name]
    sign = -1.0 if metric.higher_is_better else 1.0

    def of(tiles: Sequence[Outcomes]) -> Losses:
        labelled = [tile for tile in tiles if int(tile.rows) > 0]
        if not labelled:
            return _tiles(np.empty(0), np.empty(0), np.empty(0))
        if labelled[0].task is Task.BINARY:
            labelled = [_total(labelled)]
        stacked = Outcomes.stack(labelled)
        whole = metric.value(stacked.total())
        rows = np.full(len(labelled), float(stacked.rows.mean()))
        if len(labelled) == 1:
            pseudo = np.atleast_1d(whole)
        else:
            left_out = metric.value(stacked.without_each())
            pseudo = len(labelled) * whole - (len(labelled) - 1) * left_out
        loss = (pseudo if sign > 0 else 1 - pseudo) * rows
        known = np.isfinite(loss)
        return _tiles(loss[known], rows[known], rows[known])

    return of


def _tiles(loss: Floats, size: Floats, rows: Floats) -> Losses:
    kept = rows > 0
    return Losses(loss=loss[kept], size=size[kept], count=np.ones(int(kept.sum())), rows=rows[kept])


#: Metrics of numbers, by the sum of their loss and of its size.
_SUMS: dict[str, tuple[str, str | None]] = {
    "mae": ("absolute", None),
    "rmse": ("squared", None),
    "mape": ("relative", None),
    "r2": ("squared", "variation"),
}
_TO_LOSS = {"mae": _same, "rmse": _square, "mape": _same, "r2": _complement}
_ROWS: dict[str, Callable[[Sequence[Outcomes]], Losses] | None] = {
    "log_loss": _log_loss,
    "brier": _brier,
    "accuracy": _accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "roc_auc": None,
}
