"""Counts that only the checks of data quality need: types, decimals, copies, hours of the day."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

#: Rows of each column; these add up.
ADDED = ("mistyped", "absent", "negative", "extreme", "coarse", "fine")
#: Counts of each column; of the last, the larger one is kept.
PER_COLUMN = (*ADDED, "distinct")
HOURS = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnQuality:
    """What is counted of one column for the checks of data quality.

    Parameters
    ----------
    mistyped
        Rows whose value is not written as the column's kind is, such as a number with a comma;
        those that cannot be read at all count as neither null nor value. In columns of strings
        that have been numbers: strings that are none.
    absent
        Rows of sources that lack the column; they are null as well.
    negative
        Finite values below zero; numerical columns only.
    extreme
        Values that are outside the reference's range by more than three times its width.
    coarse
        Finite values with fewer decimals than the reference's values have.
    fine
        Finite values with more decimals than that.
    distinct
        Different values that any one tile has at least; exact where the reference has at most a
        thousand of them and none is new.
    """

    mistyped: int
    absent: int
    negative: int
    extreme: int
    coarse: int
    fine: int
    distinct: int


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityCounts:
    """Mergeable counts for the checks of data quality.

    Parameters
    ----------
    columns
        Shape ``(len(PER_COLUMN), columns)``.
    hours
        Rows by the hour of the day in UTC, shape ``(24,)``.
    copies
        Rows whose features are equal to those of an earlier row of the same tile.

    Examples
    --------
    >>> one = QualityCounts.empty(2)
    >>> QualityCounts.merge([one, None], 2) is None
    True
    """

    columns: Integers
    hours: Integers
    copies: int

    @classmethod
    def empty(cls, columns: int) -> Self:
        """Return the counts of no rows."""
        return cls(
            columns=np.zeros((len(PER_COLUMN), columns), dtype=np.int64),
            hours=np.zeros(HOURS, dtype=np.int64),
            copies=0,
        )

    @classmethod
    def merge(cls, parts: Sequence[QualityCounts | None], columns: int) -> Self | None:
        """Return the counts of disjoint rows together; None, unknown, when any part is unknown."""
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        if not known:
            return cls.empty(columns)
        stacked = np.stack([part.columns for part in known])
        merged = np.vstack([stacked[:, :-1].sum(axis=0), stacked[:, -1:].max(axis=0)])
        return cls(
            columns=merged,
            hours=np.sum([part.hours for part in known], axis=0),
            copies=sum(part.copies for part in known),
        )

    def column(self, index: int) -> ColumnQuality:
        """Return the counts of one column by its place."""
        return ColumnQuality(**dict(zip(PER_COLUMN, self.columns[:, index].tolist(), strict=True)))

    def to_bytes(self) -> bytes:
        """Return a compact form."""
        counts = np.concatenate([self.columns.ravel(), self.hours, [self.copies]])
        return zlib.compress(counts.astype("<i8").tobytes(), 6)

    @classmethod
    def from_bytes(cls, body: bytes, columns: int) -> Self:
        """Read the decompressed form of what ``to_bytes`` wrote."""
        counts = np.frombuffer(body, dtype="<i8")
        size = len(PER_COLUMN) * columns
        return cls(
            columns=counts[:size].reshape(len(PER_COLUMN), columns),
            hours=counts[size : size + HOURS],
            copies=int(counts[size + HOURS]),
        )
