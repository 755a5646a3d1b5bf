"""Slices of a model's rows, each measured by itself."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model import CheckStatus
from reports.model.performance import TrendPoint
from watchkeeper.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentRow:
    """One segment in one window.

    Parameters
    ----------
    value, lower, upper, limit
        The metric that the tolerance is about, with its 95 % interval and where it ends.
    reasons
        What else stands out in it.
    trend
        The metric in windows before, oldest first.
    """

    name: str
    status: CheckStatus
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None
    labels: int = 0
    reasons: tuple[str, ...] = ()
    trend: tuple[TrendPoint, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentsView:
    """The segments of one window, those that stand out first; ``hidden`` counts the rest."""

    metric: str
    window: Window
    rows: tuple[SegmentRow, ...]
    hidden: int = 0
