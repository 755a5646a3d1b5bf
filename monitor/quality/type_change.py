"""Values are of another type than the signature says."""

from __future__ import annotations

from monitor.quality.model import Finding, Pair, judge_share


def type_change(pair: Pair) -> Finding | None:
    """Find values that are not written as the column's kind is."""
    current, quality = pair.current, pair.current.quality
    if quality is None:
        return None
    given = current.rows - current.null + (quality.mistyped if current.values == 0 else 0)
    given = min(max(given, quality.mistyped), current.rows)
    share = quality.mistyped / given if given else 0.0
    usual = "a number" if pair.bins.numbers else f"a {current.kind} value"
    reason = f"{share:.1%} of {given} values are text that is not written as {usual}"
    return judge_share(
        "type_change", share, given, pair.usual.mistyped, reason, column=current.name
    )
