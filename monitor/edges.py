"""Bins that are fitted on the reference alone, so that later counts add up and can be compared.

One convention holds everywhere: ``edges`` are inclusive upper bounds, bin ``j`` is
``(edges[j-1], edges[j]]``, the first bin is open below and the last one, ``(edges[-1], inf)``,
above. Null, NaN and the infinities are set aside before any edge is looked at and are counted
apart. Numbers are compared as float64, datetimes as microseconds since 1970-01-01 UTC, strings by
their UTF-8 bytes, free text by its length in code points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor.decimals import decimals_of, is_single
from watchkeeper.schema import Column, ColumnKind

if TYPE_CHECKING:
    import pandas as pd

#: Bins of a continuous column; each holds one twentieth of the reference.
N_BINS = 20
#: A number with at most this many different values has one bin per value.
FEW_VALUES = 20
#: Categories that are listed one by one; a longer list is cut to the most frequent ones.
MAX_CATEGORIES = 1_000
#: Values that are enough to tell how many decimals a column has.
_DECIMALS_FROM = 20_000
#: Strings that are enough to tell whether they are numbers, and the part of them that must be.
_STRINGS_FROM, _NEARLY_ALL = 2_000, 0.99
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")

Values = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnBins:
    """The bins of one column.

    Parameters
    ----------
    kind
        Numerical and datetime columns have ``edges`` of their values, text columns ``edges`` of
        their lengths, categorical columns ``categories``.
    edges
        Inclusive upper bounds, strictly increasing; there is one bin more than edges. Empty when
        the reference held no finite value: one bin holds everything.
    atoms
        Those edges that end a bin of a single value, since the reference holds it so often.
    categories
        Known values in bytewise order; one bin each, then one bin for all others.
    complete
        Whether ``categories`` holds every value of the reference: "other" then means "never seen".
    spacings
        Rows of the fitted data per bin.
    minimum, maximum
        Range of the finite values; None when there was none.
    decimals
        How many decimals hold the numbers that it was fitted on (``decimals.MANY``: that many or
        more); None when unknown.
    distinct
        How many different numbers there were; None when unknown.
    single
        Whether they were floats of 32 bits.
    numbers
        Whether nearly all strings were numbers, in a column of categories or text.

    Examples
    --------
    >>> bins = fit_numbers(np.arange(1.0, 101.0), n_bins=4)
    >>> bins.edges, bins.spacings
    ((25.0, 50.0, 75.0), (25, 25, 25, 25))
    >>> ColumnBins.from_dict(bins.to_dict()) == bins
    True
    """

    kind: ColumnKind
    edges: tuple[float, ...] = ()
    atoms: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    complete: bool = True
    spacings: tuple[int, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    decimals: int | None = None
    distinct: int | None = None
    single: bool = False
    numbers: bool = False

    @property
    def n_bins(self) -> int:
        """Number of bins, with the last, open one."""
        listed = self.categories if self.kind is ColumnKind.CATEGORICAL else self.edges
        return len(listed) + 1

    @property
    def n_fitted(self) -> int:
        """Rows that the bins were fitted on."""
        return sum(self.spacings)

    @property
    def discrete(self) -> bool:
        """Whether every bin but the last, open one holds a single value."""
        return self.kind is ColumnKind.CATEGORICAL or len(self.atoms) == len(self.edges) > 0

    def to_dict(self) -> dict[str, Any]:
        """Return the bins as plain JSON types."""
        learned = {
            "decimals": self.decimals,
            "distinct": self.distinct,
            "single": self.single or None,
            "numbers": self.numbers or None,
        }
        return {
            "kind": str(self.kind),
            "edges": list(self.edges),
            "atoms": list(self.atoms),
            "categories": list(self.categories),
            "complete": self.complete,
            "spacings": list(self.spacings),
            "minimum": self.minimum,
            "maximum": self.maximum,
            # Bins that were stored before these were known keep their fingerprint.
            **{name: value for name, value in learned.items() if value is not None},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            kind=ColumnKind(data["kind"]),
            edges=tuple(data["edges"]),
            atoms=tuple(data["atoms"]),
            categories=tuple(data["categories"]),
            complete=data["complete"],
            spacings=tuple(data["spacings"]),
            minimum=data["minimum"],
            maximum=data["maximum"],
            decimals=data.get("decimals"),
            distinct=data.get("distinct"),
            single=data.get("single", False),
            numbers=data.get("numbers", False),
        )


def count(values: Values, edges: Sequence[float]) -> Counts:
    """Count finite values per bin.

    Parameters
    ----------
    values
        Finite numbers in any order.
    edges
        Inclusive upper bounds, strictly increasing.

    Returns
    -------
    ndarray of int64
        One count more than there are edges; they sum to ``len(values)``.

    Examples
    --------
    >>> count(np.array([1.0, 2.0, 2.0, 3.0]), [1.0, 2.0]).tolist()
    [1, 2, 1]
    """
    # One vectorised comparison per edge beats a binary search per value up to some fifty edges.
    if len(edges) > 50:
        positions = np.searchsorted(np.asarray(edges), values, side="left")
        return np.bincount(positions, minlength=len(edges) + 1).astype(np.int64)
    below = [int(np.count_nonzero(values <= edge)) for edge in edges]
    cumulative: Counts = np.array([0, *below, len(values)], dtype=np.int64)
    return cumulative[1:] - cumulative[:-1]


def fit_numbers(
    values: Values, *, kind: ColumnKind = ColumnKind.NUMERICAL, n_bins: int = N_BINS
) -> ColumnBins:
    """Fit bins at order statistics of the reference.

    Few different values get one bin each. Otherwise bin ``j`` ends at the value of rank
    ``ceil(j * n / n_bins)``; equal edges are merged, and a value that fills a whole bin by itself
    (an atom, such as the zeros of a rainfall column) gets a bin of its own.

    Parameters
    ----------
    values
        The reference; NaN and infinities are left out here.
    n_bins
        Bins to aim at, at least 2.

    Examples
    --------
    >>> fit_numbers(np.repeat([0.0, 1.0], 50)).edges
    (0.0, 1.0)
    >>> rain = np.r_[np.zeros(60), np.arange(1.0, 41.0)]
    >>> fit_numbers(rain, n_bins=4).atoms
    (0.0,)
    """
    if n_bins < 2:
        raise ValueError(f"expected at least 2 bins, got {n_bins}")
    ordered = np.sort(values[np.isfinite(values)])
    if len(ordered) == 0:
        return ColumnBins(kind=kind)
    distinct = np.unique(ordered)
    # Three rows per value tell few values from a small sample of many.
    if len(distinct) == 1 or (len(distinct) <= FEW_VALUES and 3 * len(distinct) <= len(ordered)):
        edges, atoms = distinct.tolist(), distinct.tolist()
    else:
        edges, atoms = _quantile_edges(ordered, n_bins)
    shown = ordered[:: -(-len(ordered) // _DECIMALS_FROM)]
    return ColumnBins(
        kind=kind,
        edges=tuple(edges),
        atoms=tuple(atoms),
        spacings=tuple(count(ordered, edges).tolist()),
        minimum=float(ordered[0]),
        maximum=float(ordered[-1]),
        decimals=decimals_of(shown) if kind is ColumnKind.NUMERICAL else None,
        distinct=len(distinct),
        single=kind is ColumnKind.NUMERICAL and is_single(shown),
    )


def _quantile_edges(ordered: Values, n_bins: int) -> tuple[list[float], list[float]]:
    """Return edges at order statistics, and those of them that are atoms."""
    n = len(ordered)
    ranks = np.unique(-(-np.arange(1, n_bins) * n // n_bins))
    at_ranks = ordered[ranks - 1]
    edges, repeats = np.unique(at_ranks, return_counts=True)
    atoms = edges[repeats > 1]
    below_atoms = np.nextafter(atoms, -math.inf)
    below_atoms = below_atoms[below_atoms >= ordered[0]]
    # An edge at the maximum leaves the open bin above it empty; only an atom is worth that.
    kept = edges[(edges < ordered[-1]) | np.isin(edges, atoms)]
    return np.unique(np.r_[kept, below_atoms]).tolist(), atoms.tolist()


def fit_categories(
    counts: Mapping[str, int], *, limit: int = MAX_CATEGORIES, cut: bool = False
) -> ColumnBins:
    """Fit bins on how often each string occurs in the reference.

    Parameters
    ----------
    counts
        Rows per value.
    limit
        Categories to keep at most; the most frequent ones, ties in bytewise order.
    cut
        Whether ``counts`` was itself cut short.

    Examples
    --------
    >>> bins = fit_categories({"b": 3, "a": 5, "c": 1}, limit=2)
    >>> bins.categories, bins.complete, bins.spacings
    (('a', 'b'), False, (5, 3, 1))
    """
    ranked = sorted(counts, key=lambda value: (-counts[value], _bytes(value)))
    kept = sorted(ranked[:limit], key=_bytes)
    others = sum(counts.values()) - sum(counts[value] for value in kept)
    return ColumnBins(
        kind=ColumnKind.CATEGORICAL,
        categories=tuple(kept),
        complete=not cut and len(ranked) <= limit,
        spacings=(*(counts[value] for value in kept), others),
    )


def _bytes(value: str) -> bytes:
    return value.encode(errors="surrogatepass")


@runtime_checkable
class SelectableTable(Protocol):
    """What this module needs of an Ibis table."""

    def select(self, name: str, /) -> Self:
        """Keep one column."""

    def to_pyarrow(self) -> pa.Table:
        """Fetch it."""


def fit_bins(
    table: pa.Table | pd.DataFrame | SelectableTable,
    columns: Sequence[Column],
    *,
    n_bins: int = N_BINS,
) -> dict[str, ColumnBins]:
    """Fit the bins of every column on a reference table.

    Parameters
    ----------
    table
        The reference; a table of Arrow, pandas or Ibis that fits into memory column by column.
    columns
        What to fit, and of which kind it is: kinds come from the signature, never from a guess.
        The categories of the signature, where it has any, are bins even when the table lacks them.

    Raises
    ------
    KeyError
        The table lacks one of the columns.
    ValueError
        A column cannot be read as its kind.
    """
    return {
        column.name: _fit_column(_arrow_column(table, column.name), column, n_bins)
        for column in columns
    }


def _arrow_column(table: pa.Table | pd.DataFrame | SelectableTable, name: str) -> pa.Array:
    if isinstance(table, pa.Table):
        column = table.column(name)
    elif isinstance(table, SelectableTable):
        column = table.select(name).to_pyarrow().column(0)
    else:
        column = pa.array(table[name], from_pandas=True)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _fit_column(values: pa.Array, column: Column, n_bins: int) -> ColumnBins:
    if column.kind is ColumnKind.CATEGORICAL:
        found = values.cast("string").drop_null().value_counts()
        counts = dict.fromkeys(column.categories, 0)
        counts |= {pair["values"]: pair["counts"] for pair in found.to_pylist()}
        return replace(fit_categories(counts), numbers=_are_numbers(values))
    bins = fit_numbers(as_numbers(values, column.kind), kind=column.kind, n_bins=n_bins)
    return replace(bins, numbers=column.kind is ColumnKind.TEXT and _are_numbers(values))


def _are_numbers(values: pa.Array) -> bool:
    """Whether nearly all strings of a sample are numbers; false for other types."""
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return False
    known = values.drop_null()
    shown = known[:: max(len(known) // _STRINGS_FROM, 1)].to_pylist()
    numbers = sum(_NUMBER.fullmatch(text) is not None for text in shown)
    return len(shown) > 0 and numbers >= _NEARLY_ALL * len(shown)


def as_numbers(values: pa.Array, kind: ColumnKind) -> Values:
    """Return the non-null values as the float64 that edges are compared with.

    Examples
    --------
    >>> import pyarrow as pa
    >>> as_numbers(pa.array(["ab", None, "abc"]), ColumnKind.TEXT).tolist()
    [2.0, 3.0]
    """
    values = values.drop_null()
    if kind is ColumnKind.TEXT:
        values = pc.utf8_length(values.cast("string"))
    elif kind is ColumnKind.DATETIME:
        values = values.cast(pa.timestamp("us", tz=getattr(values.type, "tz", None)), safe=False)
        values = values.cast("int64")
    try:
        return np.asarray(values.cast("float64", safe=False).to_numpy(zero_copy_only=False))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise ValueError(f"expected {kind} values, got {values.type}") from exc
