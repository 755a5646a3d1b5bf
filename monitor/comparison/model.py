"""The result of comparing two tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from monitor.model import CheckStatus
from watchkeeper.schema import ColumnKind

#: From the one that a reader must see first.
WORST_FIRST = (
    CheckStatus.CRITICAL,
    CheckStatus.FAILED,
    CheckStatus.WARNING,
    CheckStatus.INSUFFICIENT_DATA,
    CheckStatus.OK,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Shares of both tables' rows over the same bins, for the eye.

    Parameters
    ----------
    labels
        One per bar; a lower and an upper end for numbers, the category otherwise.
    reference, current
        Shares of the rows that have a value.
    """

    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnComparison:
    """How one column of the current table differs from the reference's.

    Parameters
    ----------
    metric, value
        Name of the distance, and the plain number.
    p_value, p_value_adjusted
        Chance of such a distance without any change: of this column, and as adjusted for
        all columns (Benjamini-Hochberg). Rows are taken to be independent.
    effect, lower, upper
        The distance less what chance adds to it, and the 95 % interval of the true distance.
    minimum_detectable_effect
        The smallest distance that tables of this size show in four of five cases.
    n_reference, n_current
        Rows, with and without a value.
    null_share_reference, null_share_current
        Share of rows that are null or NaN; None without rows.
    note
        What else a reader must know, in one sentence; empty when nothing.
    """

    name: str
    kind: ColumnKind
    metric: str
    value: float | None
    p_value: float | None
    p_value_adjusted: float | None
    lower: float | None
    upper: float | None
    effect: float | None
    minimum_detectable_effect: float | None
    status: CheckStatus
    n_reference: int
    n_current: int
    null_share_reference: float | None
    null_share_current: float | None
    note: str = ""
    histogram: Histogram | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the column as plain JSON types; numbers that are not finite become None."""
        shown = [field.name for field in fields(self) if field.name not in ("note", "histogram")]
        return {name: _plain(getattr(self, name)) for name in shown}


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityFinding:
    """Something about the data itself that is not a change of the world.

    Parameters
    ----------
    column
        None when the finding is about whole rows.
    check
        Name of the check, for example ``null_surge``.
    """

    column: str | None
    check: str
    status: CheckStatus
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON types."""
        return {
            "column": self.column,
            "check": self.check,
            "status": str(self.status),
            "detail": self.detail,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two tables, column by column.

    Parameters
    ----------
    reference, current
        Names of the tables, as given.
    any_difference
        Chance of what was seen in the most different column if no column had changed (Holm);
        None when nothing was tested.
    """

    reference: str
    current: str
    n_reference: int
    n_current: int
    alpha: float
    any_difference: float | None
    columns: tuple[ColumnComparison, ...]
    quality: tuple[QualityFinding, ...]

    @property
    def status(self) -> CheckStatus:
        """The worst of all findings; ``insufficient_data`` when no column could be judged."""
        found = {column.status for column in self.columns}
        found |= {finding.status for finding in self.quality}
        for status in (CheckStatus.CRITICAL, CheckStatus.WARNING):
            if status in found:
                return status
        judged = {column.status for column in self.columns} - {CheckStatus.INSUFFICIENT_DATA}
        return CheckStatus.OK if judged else CheckStatus.INSUFFICIENT_DATA

    @property
    def worst_first(self) -> tuple[ColumnComparison, ...]:
        """The columns, the most serious first."""
        return tuple(
            sorted(
                self.columns,
                key=lambda column: (WORST_FIRST.index(column.status), -(column.effect or 0.0)),
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON types."""
        return {
            "n_reference": self.n_reference,
            "n_current": self.n_current,
            "status": str(self.status),
            "columns": [column.to_dict() for column in self.columns],
            "quality": [finding.to_dict() for finding in self.quality],
        }


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, (ColumnKind, CheckStatus)) else value
