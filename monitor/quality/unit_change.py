"""A column is written in another unit: the scale and the offset are found and named."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from monitor.conversions import CONVERSIONS, Conversion
from monitor.decimals import MANY, has_decimals
from monitor.edges import Values
from monitor.model import CheckStatus
from monitor.profiles.model import Extent
from monitor.quality.model import Finding, Pair, found
from watchkeeper.schema import ColumnKind

_FEWEST = 15
#: How far beyond the reference's range a converted value may lie, in widths of it.
_ROOM, _ROOM_WITH_DECIMALS = 0.25, 1.0
#: Factor by which the spread within a window may differ from those of the reference's windows.
_SPREAD, _SPREAD_WITH_DECIMALS = 1.5, 3.0
#: Of the way from the usual level, what undoing the conversion may leave.
_LEFT = 0.5
#: An offset of so many widths of the range is no weather, nor is one that leads so far beyond it.
_OFFSET, _BEYOND = 3.0, 0.5
#: Parts of the smallest and largest values of tiles that are decimal numbers again, and were not.
_AGAIN, _NOT_BEFORE = 0.95, 0.5
#: A factor up to this may leave no more than this misfit.
_SMALL, _WELL = 10.0, 2.0
#: Misfits that differ by no more are alike.
_ALIKE = 0.15


def unit_change(pair: Pair) -> Finding | None:
    """Find the usual conversion after which a column is again what it was.

    The level and the range must fit after undoing the conversion and not before. A factor near
    one, which the world may change by as well, must also show in the decimals: what was converted
    has odd ones, and the smallest and largest values of the tiles lose them when it is undone.
    """
    current, reference = pair.current, pair.reference
    if current.kind is not ColumnKind.NUMERICAL or reference.mean is None:
        return None
    name, rows = current.name, current.values
    if rows < _FEWEST or current.minimum == current.maximum:
        status, reason = CheckStatus.INSUFFICIENT_DATA, "too few different values"
        return found("unit_change", status, reason, rows=rows, column=name)
    best = _best(pair)
    if best is None:
        return found("unit_change", CheckStatus.OK, "the usual unit", rows=rows, column=name)
    reason = (
        f"the values look like {best.name}: mean {current.mean:.4g}, usually {reference.mean:.4g}"
    )
    return found("unit_change", CheckStatus.CRITICAL, reason, rows=rows, column=name)


def _is_usual(pair: Pair) -> bool:
    low, high = _means(pair)
    mean = pair.current.mean
    return mean is None or low <= mean <= high


def _means(pair: Pair) -> tuple[float, float]:
    """Return between which the mean of a window lies."""
    spread = pair.reference.deviation or 0.0
    if pair.usual.means is not None:
        low, high = pair.usual.means
        return low - spread / 10, high + spread / 10
    mean = pair.reference.mean or 0.0
    return mean - spread, mean + spread


def _best(pair: Pair) -> Conversion | None:
    shown = _shown(pair)
    odd = _is_odd(shown, pair)
    if not odd and _is_usual(pair):
        return None
    fits = [
        (misfit, conversion)
        for conversion in CONVERSIONS
        if (misfit := _misfit(pair, conversion, shown, odd=odd)) is not None
    ]
    # Of those that fit about equally well, the most usual one, which comes first.
    least = min((misfit for misfit, _ in fits), default=0.0)
    return next((conversion for misfit, conversion in fits if misfit <= least + _ALIKE), None)


def _shown(pair: Pair) -> Values:
    """Return values of the window that are known: the smallest and largest of its tiles."""
    tiles: Sequence[Extent] = [tile for _, tile in pair.tiles]
    known = tiles or (pair.current,)
    ends = [(tile.minimum, tile.maximum) for tile in known if tile.minimum is not None]
    return np.array(ends, dtype=np.float64).ravel()


def _is_odd(shown: Values, pair: Pair) -> bool:
    """Whether the values have decimals that the reference's do not have."""
    decimals = pair.bins.decimals
    if decimals is None or decimals >= MANY or not len(shown):
        return False
    usual = has_decimals(shown, decimals, single=pair.bins.single)
    return float(usual.mean()) < _NOT_BEFORE


def _misfit(pair: Pair, conversion: Conversion, shown: Values, *, odd: bool) -> float | None:
    """Return how much is left to explain after undoing a conversion; None when it cannot be."""
    reference, current, bins = pair.reference, pair.current, pair.bins
    mean, spread = current.mean, current.deviation
    if mean is None or spread is None or reference.mean is None or reference.deviation is None:
        return None
    low, high = bins.minimum or 0.0, bins.maximum or 0.0
    width = (high - low) or max(abs(high), 1.0)
    ends = conversion.undo(np.array([current.minimum, current.maximum], dtype=np.float64))
    lowest, highest = float(ends.min()), float(ends.max())
    # Most conversions lead so far away that their decimals need not be looked at.
    most_room = width * _ROOM_WITH_DECIMALS
    if lowest < low - most_room or highest > high + most_room:
        return None
    even = _is_even_again(conversion, shown, pair)
    if bins.decimals is not None and bins.decimals < MANY and not even:
        return None
    again = odd and even
    room = width * (_ROOM_WITH_DECIMALS if again else _ROOM)
    if lowest < low - room or highest > high + room:
        return None
    undone = float(conversion.undo(np.array([mean]))[0])
    if not again:
        beyond = bool(conversion.offset) and max(mean - high, low - mean) > _BEYOND * width
        far = beyond or abs(conversion.offset) >= _OFFSET * width
        if conversion.is_near_one and not far:
            return None
        at_least, at_most = _means(pair)
        if not at_least <= undone <= at_most:
            return None
        # What leads no nearer to the usual level than the values are explains nothing.
        if abs(undone - reference.mean) > _LEFT * abs(mean - reference.mean):
            return None
    usual = max(reference.deviation, 1e-12)
    within = max(spread / abs(conversion.factor), 1e-12)
    stretch = abs(math.log(within / usual))
    least, most = pair.usual.deviations or (usual, usual)
    # What makes all values alike has their decimals, too.
    room = _SPREAD_WITH_DECIMALS if again else _SPREAD
    if not least / room <= within <= most * room:
        return None
    misfit = stretch + abs(undone - reference.mean) / usual
    # What so small a factor explains, it must explain well.
    small = 1 / _SMALL <= abs(conversion.factor) <= _SMALL
    return None if small and not again and misfit > _WELL else misfit


def _is_even_again(conversion: Conversion, shown: Values, pair: Pair) -> bool:
    undone = conversion.undo(shown)
    usual = has_decimals(undone, pair.bins.decimals or 0, single=pair.bins.single)
    return float(usual.mean()) >= _AGAIN
