"""Columns against their reference: strip, cards, findings."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model import CheckStatus, Family
from reports.model.paging import Paging
from watchkeeper.schema import ColumnKind
from watchkeeper.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftCell:
    """One column in one window: the worst of its checks; effect is in units of its limit."""

    status: CheckStatus
    metric: str = "psi"
    check: str = "drift"
    value: float | None = None
    effect: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftRow:
    """One column over the windows of the strip; None where it was not compared."""

    column: str
    cells: tuple[DriftCell | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftStrip:
    """Columns × windows, the most drifted first; ``hidden`` counts the columns left out."""

    metric: str
    windows: tuple[Window, ...]
    rows: tuple[DriftRow, ...]
    hidden: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """Shares of rows per bin, over the same bins, for the reference and one window.

    Parameters
    ----------
    labels
        One name per bin: a category or an interval.
    reference, current
        Shares of the rows that are not null, in ``[0, 1]``; current is empty when the window is.
    """

    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureCard:
    """One column of one window against the reference."""

    name: str
    kind: ColumnKind | None
    status: CheckStatus
    reason: str = ""
    psi: float | None = None
    p_value: float | None = None
    null_reference: float | None = None
    null_current: float | None = None
    unseen: float | None = None
    distribution: Distribution | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FeaturesView:
    """The columns of one window, the most drifted first.

    ``against`` says which reference they were compared with.
    """

    window: Window | None
    version: int | None
    cards: tuple[FeatureCard, ...]
    paging: Paging
    search: str = ""
    against: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One check that did not come out well, in words."""

    status: CheckStatus
    family: Family
    check: str
    reason: str
    column: str | None = None
    metric: str | None = None
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None
    window: Window | None = None
