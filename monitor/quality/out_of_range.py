"""Numbers lie where none can be: far outside of all that was seen, or below zero."""

from __future__ import annotations

from monitor.habits import wilson_limit
from monitor.model import CheckStatus
from monitor.quality.model import Finding, Pair, found, judge_share
from watchkeeper.schema import ColumnKind

#: Parts of the rows with impossible values that are worth a warning, and that are critical.
_NEGATIVE = (0.005, 0.10)
#: With less of the width between zero and the reference's minimum, drift leads below zero too.
_GAP = 0.05
#: With more of a window below zero nothing shows that the rest is as usual.
_MIXED = 0.95
#: A column with fewer different values takes steps, and may take another.
_VARIED = 10
#: Fewer values say little about a range.
_FEWEST = 100
#: A greatest value so many deviations from the mean is one of a heavy tail.
_HEAVY = 12.0


def out_of_range(pair: Pair) -> Finding | None:
    """Find impossible numbers, the more serious the more there are."""
    current, reference = pair.current, pair.reference
    if current.kind is not ColumnKind.NUMERICAL or reference.minimum is None:
        return None
    distinct, quality = pair.bins.distinct, current.quality
    few = distinct is not None and distinct < _VARIED and not (quality and quality.extreme)
    infinite = infinite_values(pair)
    if infinite is not None and infinite.status is not CheckStatus.OK:
        return infinite
    impossible = _below_zero(pair)
    if impossible is not None:
        return impossible
    if pair.usual.slow or pair.usual.beyond or few:
        return found(
            "out_of_range",
            CheckStatus.INSUFFICIENT_DATA,
            "the column moves too slowly, or in too few steps, for its range to be known",
            rows=current.values,
            column=current.name,
        )
    return _far(pair)


def infinite_values(pair: Pair) -> Finding | None:
    """Find infinities where the reference has none, or fewer."""
    current, reference = pair.current, pair.reference
    if current.kind is not ColumnKind.NUMERICAL or not (current.rows and reference.rows):
        return None
    usual = reference.infinite / reference.rows
    return judge_share(
        "out_of_range",
        current.infinite / current.rows,
        current.rows,
        wilson_limit(usual, reference.rows, upper=True),
        f"{current.infinite} of {current.rows} values are infinite, {usual:.1%} in the reference",
        column=current.name,
    )


def _below_zero(pair: Pair) -> Finding | None:
    quality, before = pair.current.quality, pair.reference.quality
    if quality is None or before is None or not quality.negative or before.negative:
        return None
    low, width = pair.bins.minimum or 0.0, (pair.bins.maximum or 0.0) - (pair.bins.minimum or 0.0)
    between = pair.current.under - quality.negative
    gap = low > _GAP * width and between <= _GAP * quality.negative
    # A window that lies below zero as a whole has moved there: it froze.
    isolated = low == 0 or (gap and quality.negative <= _MIXED * pair.current.values)
    if low < 0 or not isolated or pair.reference.values < _FEWEST:
        return None
    rows = pair.current.values
    limit = wilson_limit(0.0, pair.reference.values, upper=True)
    reason = f"{quality.negative} of {rows} values are below zero; none of the reference's is"
    return judge_share(
        "out_of_range",
        quality.negative / rows,
        rows,
        limit,
        reason,
        column=pair.current.name,
        steps=_NEGATIVE,
    )


def _far(pair: Pair) -> Finding:
    current, reference = pair.current, pair.reference
    limit = wilson_limit(0.0, reference.values, upper=True)
    share = current.far / current.values if current.values else 0.0
    text = f"{current.far} of {current.values} values are far outside the range seen in training"
    judged = judge_share("out_of_range", share, current.values, limit, text, column=current.name)
    extreme = 0 if current.quality is None else current.quality.extreme
    if judged.status is not CheckStatus.OK or not extreme or _has_heavy_tail(pair):
        return judged
    reason = f"{extreme} of {current.values} values are impossibly far outside the known range"
    return found(
        "out_of_range", CheckStatus.WARNING, reason, rows=current.values, column=current.name
    )


def _has_heavy_tail(pair: Pair) -> bool:
    reference = pair.reference
    if reference.mean is None or reference.minimum is None or reference.maximum is None:
        return True
    reach = max(reference.maximum - reference.mean, reference.mean - reference.minimum)
    return reference.values < _FEWEST or reach > _HEAVY * (reference.deviation or 0.0)
