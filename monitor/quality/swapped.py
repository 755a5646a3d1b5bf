"""Two columns have changed places."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.edges import ColumnBins
from monitor.model import CheckStatus
from monitor.profiles.model import ColumnProfile, Profile
from monitor.quality.model import Finding, Pair, Whole, found
from watchkeeper.schema import ColumnKind

#: A gap between distribution functions that needs an explanation.
_FAR = 0.4
#: The gap that is left when two columns have changed places.
_NEAR = 0.25
_FEWEST = 30
#: Room beyond the range, in widths of it, and the factor by which the spread may differ.
_ROOM, _SPREAD = 0.1, 2.0
#: Part of the rows that must lie elsewhere in a slice than in all rows for it to have ways of its
#: own, the columns that must have lost them, and the factor by which its part may have changed.
_OWN_WAYS, _FEWEST_COLUMNS, _SAME_SHARE = 0.2, 2, 1.5

Floats = NDArray[np.float64]


def swapped(whole: Whole) -> list[Finding]:
    """Find pairs of numerical columns each of which has the distribution that the other had.

    Every column that can change places has a finding: what is back in its place is said to be.
    """
    reasons: dict[str, str] = {}
    moved = [pair for pair in whole.pairs if _has_moved(pair)]
    for one, other in itertools.combinations(moved, 2):
        own = min(_gap(one, one), _gap(other, other))
        crossed = max(_gap(one, other), _gap(other, one))
        if crossed <= min(own / 2, _NEAR) and _resembles(one, other) and _resembles(other, one):
            name, second = one.current.name, other.current.name
            for each in (name, second):
                reasons[each] = f"the values of {name!r} and {second!r} have changed places"
    return [
        found(
            "swapped",
            CheckStatus.CRITICAL if pair.current.name in reasons else CheckStatus.OK,
            reasons.get(pair.current.name, "in its place"),
            rows=pair.current.values,
            column=pair.current.name,
        )
        for pair in whole.pairs
        if _can_move(pair)
    ]


def whole_in_place_of_slice(
    pairs: Sequence[Pair], whole: Profile, *, share: tuple[float, float]
) -> Finding | None:
    """Find a slice whose columns have the distributions of all rows instead of their own.

    It is what a join on the wrong key or a shuffled source does to one slice: no column of the
    whole changes at all.

    Parameters
    ----------
    pairs
        Columns of the slice.
    whole
        All rows of the reference.
    share
        Of the slice among all rows, in the reference and now; where it moved, rows came or went.
    """
    usual, now = share
    if not usual / _SAME_SHARE <= now <= usual * _SAME_SHARE:
        return None
    known = {column.name: column for column in whole.columns()}
    names = [pair.current.name for pair in pairs if _is_like_all(pair, known[pair.current.name])]
    if len(names) < _FEWEST_COLUMNS:
        return None
    reason = f"{', '.join(sorted(names))} have the values of all rows instead of their own"
    rows = pairs[0].current.rows
    return found("swapped", CheckStatus.WARNING, reason, rows=rows, column=None)


def _is_like_all(pair: Pair, whole: ColumnProfile) -> bool:
    now, own, every = (
        column.counts / max(column.values, 1) for column in (pair.current, pair.reference, whole)
    )
    if pair.current.values < _FEWEST or not pair.reference.values:
        return False
    apart, away, near = (
        float(np.abs(one - other).sum()) / 2
        for one, other in ((own, every), (now, own), (now, every))
    )
    return apart >= _OWN_WAYS and near <= away / 2


def _resembles(current: Pair, reference: Pair) -> bool:
    """Whether one column's window has the level, spread and range of another's reference."""
    now, before = current.current, reference.reference
    known = (now.mean, now.deviation, before.mean, before.deviation, before.minimum, now.minimum)
    if any(value is None for value in known):
        return False
    spread = max(before.deviation or 0.0, 1e-12)
    room = _ROOM * ((before.maximum or 0.0) - (before.minimum or 0.0))
    within = (before.minimum or 0.0) - room <= (now.minimum or 0.0) and (now.maximum or 0.0) <= (
        before.maximum or 0.0
    ) + room
    alike = spread / _SPREAD <= (now.deviation or 0.0) <= spread * _SPREAD
    return within and alike and abs((now.mean or 0.0) - (before.mean or 0.0)) <= spread


def _has_moved(pair: Pair) -> bool:
    enough = min(pair.current.values, pair.reference.values) >= _FEWEST
    return _can_move(pair) and enough and _gap(pair, pair) >= _FAR


def _can_move(pair: Pair) -> bool:
    numerical = pair.current.kind is ColumnKind.NUMERICAL and len(pair.bins.edges) > 1
    return numerical and not pair.usual.slow


def _gap(current: Pair, reference: Pair) -> float:
    """Return the distance of one column's window from another column's reference.

    Taken at the edges of the first; between its own edges the second is taken to be even.
    """
    edges = np.array(current.bins.edges)
    now = np.cumsum(current.current.counts)[:-1] / current.current.values
    return float(
        np.abs(now - _share_up_to(edges, reference.bins, reference.reference.counts)).max()
    )


def _share_up_to(points: Floats, bins: ColumnBins, counts: NDArray[np.int64]) -> Floats:
    shares = np.cumsum(counts) / max(int(np.sum(counts)), 1)
    edges = np.array(bins.edges)
    if bins.discrete:
        below = np.r_[0.0, shares[:-1]]
        return np.asarray(below[np.searchsorted(edges, points, side="right")])
    low = min(bins.minimum if bins.minimum is not None else edges[0], edges[0])
    high = max(bins.maximum if bins.maximum is not None else edges[-1], edges[-1])
    return np.asarray(np.interp(points, [low, *edges, high], [0.0, *shares[:-1], 1.0]))
