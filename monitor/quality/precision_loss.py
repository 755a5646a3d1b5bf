"""Numbers have lost decimals that they always had."""

from __future__ import annotations

from monitor.decimals import COARSE, MANY
from monitor.model import CheckStatus
from monitor.quality.model import Finding, Pair, found, judge_share

#: Parts of the room above the usual share; lost decimals blur a column, they do not break it.
_STEPS = (0.5, 1.0)
_FEWEST = 10


def precision_loss(pair: Pair) -> Finding | None:
    """Find values that have fewer decimals than nearly all values had before."""
    current, quality, decimals = pair.current, pair.current.quality, pair.bins.decimals
    if quality is None or not decimals or pair.reference.quality is None:
        return None
    if current.values < _FEWEST or current.minimum == current.maximum:
        reason = "too few different values"
        status = CheckStatus.INSUFFICIENT_DATA
        return found("precision_loss", status, reason, rows=current.values, column=current.name)
    share = quality.coarse / current.values
    most = COARSE if decimals >= MANY else decimals - 1
    had = "more" if decimals >= MANY else str(decimals)
    reason = f"{share:.1%} of {current.values} values have at most {most} decimals; usually {had}"
    return judge_share(
        "precision_loss",
        share,
        current.values,
        pair.usual.coarse,
        reason,
        column=current.name,
        steps=_STEPS,
    )
