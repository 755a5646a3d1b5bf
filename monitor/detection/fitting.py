"""Fit the detector of a version on the losses of its reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from monitor.detection.detector import HARMS, Detector
from monitor.detection.dispersion import dispersion
from monitor.detection.losses import Losses, surrogate_of
from monitor.detection.past import MINIMUM_UNITS
from monitor.performance.outcomes import Outcomes
from watchkeeper.own_metrics import NONE, OwnMetrics
from watchkeeper.schema import Task
from watchkeeper.tolerance import Tolerance

Floats = NDArray[np.float64]

#: One-sided confidence bound of the reference's own level.
_LEVEL = 0.75
#: A bet on a small harm gathers evidence over many windows; beyond so many it is cut.
_LONGEST_REACH = 8
#: Losses of rows are capped at so many times a quantile of those of the reference.
_CAP_QUANTILE, _CAP_TIMES = 0.999, 1.5
#: Fewest windows between two alarms that can be asked for.
SHORTEST_RUN = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """The losses of a reference by unit of time.

    Parameters
    ----------
    units
        In order of time.
    per_window, per_day
        Units in a window, and in a day.
    cap
        Largest loss of a row; infinite where rows need none.
    """

    units: tuple[Losses, ...]
    per_window: int
    per_day: int
    cap: float


def learn_history(
    units: Sequence[Sequence[Outcomes]],
    *,
    metric: str,
    per_window: int,
    per_day: int,
    own: OwnMetrics = NONE,
) -> History:
    """Return the losses of a reference.

    Parameters
    ----------
    units
        Per unit of time, in order, the outcomes of its tiles; those without labels are left out.
    own
        What the metrics of the owner's own are made from.
    """
    labelled = [[tile for tile in tiles if int(tile.rows) > 0] for tiles in units]
    kept = [tiles for tiles in labelled if tiles]
    if not kept:
        return History(units=(), per_window=per_window, per_day=per_day, cap=math.inf)
    surrogate = surrogate_of(metric, kept[0][0].task, own)
    generator = np.random.default_rng(len(kept))
    cap = math.inf
    if surrogate.capped:
        every = [tile for tiles in kept for tile in tiles]
        cap = _CAP_TIMES * _quantile(surrogate.losses(every, generator))
    found = (surrogate.losses(tiles, generator, cap) for tiles in kept)
    losses = tuple(unit for unit in found if unit.weight > 0)
    return History(units=losses, per_window=per_window, per_day=per_day, cap=cap)


def fit_detector(
    history: History,
    *,
    metric: str,
    task: Task,
    tolerance: Tolerance,
    level: float,
    run: float,
    own: OwnMetrics = NONE,
) -> Detector | None:
    """Return the detector for a tolerance; None when the reference has too few units.

    It bets against the mean loss of the reference, plus the tolerance, plus the margin by which
    that mean is uncertain: 75 % one-sided, with the variance that its windows have together.

    Parameters
    ----------
    level
        The metric on the reference.
    run
        Quiet windows that are to lie between two alarms, on average.
    own
        What the metrics of the owner's own are made from.
    """
    units = history.units
    if len(units) < MINIMUM_UNITS:
        return None
    surrogate = surrogate_of(metric, task, own)
    loss = np.array([(unit.count * unit.loss).sum() for unit in units])
    size = np.array([(unit.count * unit.size).sum() for unit in units])
    rows = np.array([unit.weight for unit in units])
    mean = float(loss.sum() / size.sum())
    spread = float(np.sum([_spread(unit, mean) for unit in units]))
    run = max(run, SHORTEST_RUN)
    varied = _dispersions(loss - mean * size, spread, history, run)
    error = math.sqrt(max(varied) * spread) / float(size.sum())
    allowed = surrogate.to_loss(tolerance.limit(level)) - surrogate.to_loss(level)
    limit = mean + allowed + float(stdtrit(len(units) - 1, _LEVEL)) * error
    # The losses of numbers vary more where they are larger.
    growth = 1.0 if surrogate.by_row or mean <= 0 else max(1.0, limit / mean)
    return Detector(
        metric=metric,
        task=task,
        level=mean,
        limit=limit,
        cap=history.cap,
        deviation=growth * math.sqrt(spread / float(rows.sum())),
        dispersion=varied,
        rows=float(rows.mean()) * history.per_window,
        threshold=run,
        windows=len(units),
        own=own,
    )


def _dispersions(
    residuals: Floats, independent: float, history: History, run: float
) -> tuple[float, ...]:
    """Return the dispersion for each bet; one for a smaller harm is no smaller."""
    # Where windows are shorter than a day, the hours of rush and of quiet make them alike.
    short = history.per_window < history.per_day
    part_of_day = [history.per_day // 4, history.per_day // 2] if short else []
    found = []
    for harm in HARMS:
        # A bet of the right size gains harm² / 2 in a window, and must gain the logarithm of run.
        windows = min(_LONGEST_REACH, max(1, round(2 * math.log(run) / harm**2)))
        found.append(
            dispersion(residuals, independent, [windows * history.per_window, *part_of_day])
        )
    return tuple(max(found[index:]) for index in range(len(found)))


def _spread(unit: Losses, mean: float) -> float:
    return float((unit.count * (unit.loss - mean * unit.size) ** 2).sum())


def _quantile(losses: Losses) -> float:
    order = np.argsort(losses.loss)
    reached = np.cumsum(losses.count[order])
    index = int(np.searchsorted(reached, _CAP_QUANTILE * reached[-1]))
    return float(losses.loss[order][min(index, len(order) - 1)])
