"""Impossible numbers in the current table, told from a world that has moved on a little."""

from __future__ import annotations

import numpy as np

from monitor.comparison.model import QualityFinding
from monitor.comparison.rare import outside_range
from monitor.comparison.scan import NumberCounts
from monitor.edges import Values
from monitor.model import CheckStatus

#: A smaller share of rows is not worth a word; a larger one is critical.
_OUTSIDE = (0.005, 0.10)
#: So many widths of the reference's range beyond it a value is outside, and impossible.
_BEYOND, _IMPOSSIBLE = 0.25, 3.0
#: One value that makes up so much of what is outside, and of all rows, is a code.
_ONE_VALUE, _CODE = 0.5, 0.02
#: A greatest value so many deviations from the mean is one of a heavy tail.
_HEAVY = 12.0
_FEWEST = 30


def out_of_range(
    name: str,
    before: NumberCounts,
    after: NumberCounts,
    *,
    samples: tuple[Values | None, Values | None],
    alpha: float,
) -> QualityFinding | None:
    """Find values that lie well outside the reference's range, or that are codes outside of it.

    A season that is a little warmer than the reference is drift. A value is outside when it lies
    beyond the range by a quarter of its width, when it is below zero where none was near zero, or
    when one and the same value makes up most of what lies beyond.

    Parameters
    ----------
    samples
        Values of a random sample of the rows of both tables.
    """
    sample = np.empty(0) if samples[1] is None else samples[1][np.isfinite(samples[1])]
    infinite = after.minus_infinite + after.plus_infinite
    was_infinite = before.minus_infinite + before.plus_infinite
    present = after.finite + infinite
    if not present or not before.finite:
        return None
    beyond = 0.0 if was_infinite else infinite / present
    share = _outside(sample, before) + beyond
    outside = round(share * present)
    if share >= _OUTSIDE[0] and outside_range(before.finite, present, outside) <= alpha:
        status = CheckStatus.CRITICAL if share >= _OUTSIDE[1] else CheckStatus.WARNING
        if beyond > share / 2:
            detail = f"{beyond:.1%} of the values are infinite; the reference has none"
            return QualityFinding(column=name, check="out_of_range", status=status, detail=detail)
    elif _has_impossible(before, after) and not _has_heavy_tail(samples[0], before):
        status, share = CheckStatus.WARNING, (after.under + after.over) / present
    else:
        return None
    detail = (
        f"{share:.1%} of the values are outside the reference's range "
        f"{before.minimum:g} to {before.maximum:g} ({after.minimum:g} to {after.maximum:g} now)"
    )
    return QualityFinding(column=name, check="out_of_range", status=status, detail=detail)


def _outside(sample: Values, before: NumberCounts) -> float:
    """Return the share of a sample that is outside and not merely a little beyond."""
    if not len(sample):
        return 0.0
    width = before.maximum - before.minimum
    room = _BEYOND * width
    far = (sample < before.minimum - room) | (sample > before.maximum + room)
    beyond = (sample < before.minimum) | (sample > before.maximum)
    if before.minimum >= 0:
        between = int(((sample >= 0) & (sample < before.minimum)).sum())
        negative = sample < 0
        # Where drift could lead below zero, it leads through what lies between.
        if before.minimum == 0 or (before.minimum > width / 20 and between <= negative.sum() / 20):
            far |= negative
    values, counts = np.unique(sample[beyond], return_counts=True)
    often = len(values) > 0 and counts.max() >= max(_ONE_VALUE * counts.sum(), _CODE * len(sample))
    if often and width > 0:
        far |= sample == values[counts.argmax()]
    return float(far.mean())


def _has_impossible(before: NumberCounts, after: NumberCounts) -> bool:
    reach = _IMPOSSIBLE * (before.maximum - before.minimum)
    return reach > 0 and (
        after.minimum < before.minimum - reach or after.maximum > before.maximum + reach
    )


def _has_heavy_tail(sample: Values | None, before: NumberCounts) -> bool:
    if sample is None or len(sample) < _FEWEST:
        return True
    known = sample[np.isfinite(sample)]
    mean = float(known.mean())
    reach = max(before.maximum - mean, mean - before.minimum)
    return reach > _HEAVY * float(known.std())
