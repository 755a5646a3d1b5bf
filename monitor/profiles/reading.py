"""From the results of the profile query to profiles, all rows of it at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.edges import ColumnBins
from monitor.profiles.bins import ProfileBins
from monitor.profiles.counting import bounds_of, listed_of, marks_of
from monitor.profiles.layout import SPECIAL
from monitor.profiles.model import MOMENTS, Profile
from monitor.profiles.outcome_counts import read_outcomes
from monitor.profiles.quality_counts import PER_COLUMN
from monitor.profiles.quality_query import read_numbers, read_quality
from monitor.profiles.score_counts import read_scores
from watchkeeper.schema import ColumnKind

Integers = NDArray[np.int64]
Row = Mapping[str, Any]
#: The aggregates of one column, each with one value per row of results.
Parts = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """One column in all rows of results.

    ``special`` and ``checked`` have what is not zero, by name, each of shape ``(rows,)``;
    ``counts`` is of shape ``(rows, bins)``, ``moments`` of shape ``(rows, 4)``.
    """

    special: Mapping[str, Integers]
    counts: Integers
    moments: NDArray[np.float64]
    checked: Mapping[str, Integers]


def read_profiles(rows: Sequence[Row], bins: ProfileBins) -> list[Profile]:
    """Make a profile of each row of results of one query.

    A year of hours with a dozen segments has a hundred thousand rows, so the columns are read one
    by one, each for all rows.
    """
    if not rows:
        return []
    counted = np.array([row["n"] for row in rows], dtype=np.int64)
    keys = _keys_by_column(tuple(rows[0]))
    cells, moments, quality = [], [], []
    for index, column in enumerate(bins.columns.values()):
        parts = {part: [row[key] for row in rows] for part, key in keys.get(index, ())}
        read = _read_categories if column.kind is ColumnKind.CATEGORICAL else _read_numbers
        found = read(parts, counted, column) if parts else _absent(counted, column)
        cells += [_stacked(found.special, SPECIAL, len(rows)), found.counts]
        moments.append(found.moments)
        quality.append(_stacked(found.checked, PER_COLUMN, len(rows)))
    each = zip(
        np.concatenate(cells, axis=1) if cells else np.zeros((len(rows), 0), dtype=np.int64),
        np.array(moments).reshape(-1, len(rows), len(MOMENTS)).transpose(1, 2, 0),
        np.array(quality, dtype=np.int64).reshape(-1, len(rows), len(PER_COLUMN)).swapaxes(0, 1),
        strict=True,
    )
    return [
        Profile(
            layout=bins.layout,
            rows=row["n"],
            duplicates=row.get("duplicates") or 0,
            cells=own_cells,
            moments=own_moments,
            outcomes=read_outcomes(row, bins.layout),
            scores=read_scores(row, bins.layout),
            quality=read_quality(row, own_quality),
        )
        for row, (own_cells, own_moments, own_quality) in zip(rows, each, strict=True)
    ]


@lru_cache(maxsize=64)
def _keys_by_column(keys: tuple[str, ...]) -> Mapping[int, Sequence[tuple[str, str]]]:
    """Return for the number of each column the names of its aggregates, and their keys."""
    found: dict[int, list[tuple[str, str]]] = {}
    for key in keys:
        number, separator, part = key[1:].partition("_")
        if key.startswith("c") and separator and number.isdigit():
            found.setdefault(int(number), []).append((part, key))
    return found


def _stacked(named: Mapping[str, Integers], names: Sequence[str], rows: int) -> Integers:
    nothing = np.zeros(rows, dtype=np.int64)
    return np.stack([named.get(name, nothing) for name in names], axis=1)


def _integers(values: Sequence[int | None]) -> Integers:
    return np.array([value or 0 for value in values], dtype=np.int64)


def _floats(values: Sequence[float | None], missing: float) -> NDArray[np.float64]:
    return np.array([missing if value is None else value for value in values], dtype=np.float64)


@lru_cache(maxsize=4096)
def _places(column: ColumnBins) -> tuple[int, NDArray[np.intp], Sequence[tuple[str, int]]]:
    """Return the number of fine bounds, the first of each bin, and where the marks are."""
    bounds = bounds_of(column)
    bins = np.searchsorted(column.edges, [*bounds, math.inf])
    first = np.searchsorted(bins, np.arange(column.n_bins))
    return (
        len(bounds),
        first,
        [(name, bounds.index(mark)) for name, mark in marks_of(column).items()],
    )


def _read_numbers(parts: Parts, rows: Integers, column: ColumnBins) -> _Read:
    bounds, first, marks = _places(column)
    fine = np.zeros((len(rows), bounds + 1), dtype=np.int64)
    for own, found in zip(fine, parts.get("histogram") or (), strict=False):
        if found:
            own[: len(found)] = [count for _, count in found]
    if not bounds:
        fine[:, 0] = parts["finite"]
    finite, nan = fine.sum(axis=1), _integers(parts["nan"])
    present = _integers(parts["present"])
    given = _integers(parts["given"]) if "given" in parts else present
    counts = np.add.reduceat(fine, first, axis=1)
    at_most = np.cumsum(fine, axis=1)
    upto = {name: at_most[:, place] for name, place in marks}
    special = {"null": rows - given, "nan": nan, "infinite": present - finite - nan}
    checked = {"mistyped": _misread(parts)} | read_numbers(
        {name: _integers(parts[name]) for name in ("coarse", "usual", "distinct") if name in parts},
        finite,
        np.count_nonzero(counts, axis=1),
    )
    if marks:
        special["under"] = upto["under"]
        special["over"] = finite - upto["over"]
        special["far"] = upto["far_under"] + finite - upto["far_over"]
        checked["extreme"] = upto["extreme_under"] + finite - upto["extreme_over"]
    if "zero" in upto:
        special["zeros"] = upto["zero"] - upto["below_zero"]
        checked["negative"] = upto["below_zero"]
    moments = [
        _floats(parts["total"], 0.0),
        _floats(parts["squares"], 0.0),
        _floats(parts["minimum"], math.inf),
        _floats(parts["maximum"], -math.inf),
    ]
    return _Read(special=special, counts=counts, moments=np.stack(moments, axis=1), checked=checked)


def _misread(parts: Parts) -> Integers:
    """Return the values that are not written as the column's kind is."""
    unread = _integers(parts.get("misread", [0] * len(parts["present"])))
    if "given" not in parts:
        return unread
    return np.where(unread > 0, unread, _integers(parts["given"]) - _integers(parts["plain"]))


def _nothing(rows: int) -> NDArray[np.float64]:
    return np.tile([0.0, 0.0, math.inf, -math.inf], (rows, 1))


def _absent(rows: Integers, column: ColumnBins) -> _Read:
    return _Read(
        special={"null": rows},
        counts=np.zeros((len(rows), column.n_bins), dtype=np.int64),
        moments=_nothing(len(rows)),
        checked={"absent": rows},
    )


def _read_categories(parts: Parts, rows: Integers, column: ColumnBins) -> _Read:
    listed, present = listed_of(column), _integers(parts["present"])
    known = {name: np.zeros(len(rows), dtype=np.int64) for name in column.categories}
    # The empty string is the name under which the function counts what is not listed.
    for place, found in enumerate(parts.get("histogram") or ()):
        for name, count in found or ():
            if name:
                known[name][place] = count
    for place, found in enumerate(parts.get("places") or ()):
        for number, count in found or ():
            if number:
                known[listed[number - 1]][place] = count
    if "" in known:
        known[""] = _integers(parts["empty"])
    columns = [known[name] for name in column.categories]
    unlisted = present - np.sum(columns, axis=0, dtype=np.int64)
    counts = np.stack([*columns, unlisted], axis=1)
    unread = {"mistyped": _integers(parts["misread"])} if "misread" in parts else {}
    return _Read(
        special={"null": rows - present},
        counts=counts,
        moments=_nothing(len(rows)),
        checked={"distinct": np.count_nonzero(counts, axis=1), **unread},
    )
