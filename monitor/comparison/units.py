"""Faults that are seen in samples of the values: changed units, swapped columns, lost decimals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from monitor.comparison.model import QualityFinding
from monitor.conversions import CONVERSIONS, Conversion
from monitor.decimals import MANY, decimals_of, has_decimals, is_single
from monitor.edges import Values
from monitor.model import CheckStatus

_POINTS = 4_000
_FEWEST = 30
#: A gap between distribution functions that needs an explanation, and one that needs none.
_FAR, _NEAR = 0.3, 0.1
#: Share of values that the reference must hold too, for values that come from a short list.
_SAME_VALUES, _OTHER_VALUES = 0.9, 0.3
#: A factor near one must be met so closely where no decimals tell.
_EXACT = 0.02
#: Factor by which the spread may differ once a conversion is undone.
_SPREAD = 5.0


def unit_change(column: str, reference: Values, current: Values) -> QualityFinding | None:
    """Find a known change of unit that makes the current values look like the reference's again.

    Two sorts of evidence count. Values from a short list (whole numbers, prices, readings of
    one decimal): undoing the conversion brings them back onto the list. Otherwise the
    distributions must agree after the conversion and be far apart before it.

    Examples
    --------
    >>> celsius = np.random.default_rng(0).normal(12, 8, 2_000)
    >>> unit_change("temperature", celsius, celsius[:500] * 1.8 + 32).detail
    'the values look like °C → °F (×1.8 + 32)'
    """
    if min(len(reference), len(current)) < _FEWEST or reference.min() == reference.max():
        return None
    before, after = _thinned(reference), _thinned(current)
    now = distance(before, after)
    if now < _FAR:
        return None
    listed = _on_list(before, before[1::2], reference=before[::2]) >= _SAME_VALUES
    if listed and _on_list(before, after) >= _OTHER_VALUES:
        return None
    best: tuple[float, Conversion] | None = None
    for conversion in CONVERSIONS:
        gap = _misfit(conversion, before, after, listed=listed, now=now)
        if gap is not None and (best is None or gap < best[0]):
            best = (gap, conversion)
    if best is None:
        return None
    detail = f"the values look like {best[1].name}"
    return QualityFinding(
        column=column, check="unit_change", status=CheckStatus.CRITICAL, detail=detail
    )


def _misfit(
    conversion: Conversion, before: Values, after: Values, *, listed: bool, now: float
) -> float | None:
    """Return the gap that the conversion leaves; None when it explains nothing."""
    undone = np.sort(conversion.undo(after))
    if not _plausible(conversion, before, undone):
        return None
    gap = distance(before, undone)
    noise = 1.36 * math.sqrt(1 / len(before) + 1 / len(after))
    if gap <= _NEAR + noise and gap <= now / 3:
        return gap
    # The distribution itself may have moved with the season; the list of values has not.
    if listed and gap < now and _on_list(before, undone) >= _SAME_VALUES:
        return gap
    return None


def _plausible(conversion: Conversion, before: Values, undone: Values) -> bool:
    """Whether a conversion leaves the spread, and one by a factor near one is more than likeness.

    Prices may rise by 60 %; what was converted from miles has odd decimals. Where all have odd
    ones, the factor must be met exactly.
    """
    usual, left = float(before.std()), float(undone.std())
    # Whatever is divided by enough is zero, which may be on the list.
    if not usual / _SPREAD <= left <= usual * _SPREAD:
        return False
    if not conversion.is_near_one or conversion.offset:
        return True
    decimals, after = decimals_of(before), conversion.apply(undone)
    if decimals < MANY:
        return decimals_of(undone) <= decimals < decimals_of(after)
    return abs(_scale(before, after) / conversion.factor - 1) <= _EXACT


def _scale(before: Values, after: Values) -> float:
    """Return the factor between the middle parts of two samples."""
    shares = np.linspace(0.1, 0.9, 81)
    usual, now = np.quantile(before, shares), np.quantile(after, shares)
    return float((usual * now).sum() / max(float((usual * usual).sum()), 1e-300))


def distance(reference: Values, current: Values) -> float:
    """Return the Kolmogorov-Smirnov distance of two sorted samples.

    Examples
    --------
    >>> distance(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    1.0
    """
    points = np.concatenate([reference, current])
    first = np.searchsorted(reference, points, side="right") / len(reference)
    second = np.searchsorted(current, points, side="right") / len(current)
    return float(np.abs(first - second).max())


def _thinned(values: Values) -> Values:
    ordered = np.sort(values)
    if len(ordered) <= _POINTS:
        return ordered
    # Spread over the ranks, so that the thinned sample has the same distribution.
    return ordered[np.linspace(0, len(ordered) - 1, _POINTS).astype(np.int64)]


def _on_list(before: Values, values: Values, *, reference: Values | None = None) -> float:
    """Return the share of values that occur among the reference's, up to rounding."""
    known = before if reference is None else reference
    slack = 1e-6 * max(float(np.abs(known).max()), 1e-300)
    right = np.clip(np.searchsorted(known, values), 0, len(known) - 1)
    left = np.clip(right - 1, 0, len(known) - 1)
    nearest = np.minimum(np.abs(known[right] - values), np.abs(known[left] - values))
    return float((nearest <= slack).mean())


def swapped(reference: Mapping[str, Values], current: Mapping[str, Values]) -> list[QualityFinding]:
    """Find pairs of columns whose values have changed places.

    Parameters
    ----------
    reference, current
        Samples of the columns that differ, by name.

    Examples
    --------
    >>> low, high = np.arange(100.0), np.arange(500.0, 600.0)
    >>> swapped({"a": low, "b": high}, {"a": high, "b": low})[0].detail
    "the values of 'a' and 'b' have changed places"
    """
    names = [name for name in reference if min(len(reference[name]), len(current[name])) >= _FEWEST]
    before = {name: _thinned(reference[name]) for name in names}
    after = {name: _thinned(current[name]) for name in names}
    own = {name: distance(before[name], after[name]) for name in names}
    names = [name for name in names if own[name] >= _FAR]
    found = []
    for first, second in itertools.combinations(names, 2):
        crossed = max(
            distance(before[first], after[second]), distance(before[second], after[first])
        )
        if crossed <= min(own[first], own[second]) / 2 and crossed <= _FAR:
            found.append(
                QualityFinding(
                    column=first,
                    check="swapped",
                    status=CheckStatus.CRITICAL,
                    detail=f"the values of {first!r} and {second!r} have changed places",
                )
            )
    return found


def precision_loss(column: str, reference: Values, current: Values) -> QualityFinding | None:
    """Find decimals that the reference's values have and the current ones have lost.

    Examples
    --------
    >>> values = np.round(np.random.default_rng(0).normal(size=200), 2)
    >>> precision_loss("x", values, np.trunc(values)).detail
    'the values have at most 0 decimals; the reference has 2'
    """
    if min(len(reference), len(current)) < _FEWEST:
        return None
    now, before = decimals_of(current), decimals_of(reference)
    if now >= before or (np.unique(current).size == 1):
        return None
    # Chance of so few decimals if the values came from the reference.
    coarse = float(has_decimals(reference, now, single=is_single(reference)).mean())
    if coarse > 0.5 or len(current) * math.log(max(coarse, 1e-9)) > -20:
        return None
    had = f"{before}" if before < MANY else "more"
    detail = f"the values have at most {now} decimals; the reference has {had}"
    return QualityFinding(
        column=column, check="precision_loss", status=CheckStatus.WARNING, detail=detail
    )
