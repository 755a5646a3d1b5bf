"""A column is null far more often than in any usual window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.model import CheckStatus
from monitor.quality.model import WARNING, Finding, Pair, judge_share

#: Columns whose shares of nulls differ by no more than this are taken to have gone together.
_TOGETHER = 0.02
_NAMED = 4


def null_surge(pair: Pair) -> Finding | None:
    """Find a column that is null far more often than in any usual window."""
    current, rows = pair.current, pair.current.rows
    limit, share = pair.habit.null_limit_of(rows), current.null_share
    return judge_share(
        "null_surge",
        share,
        rows,
        limit,
        f"{share:.1%} of {rows} rows are null, usually at most {limit:.1%}",
        column=current.name,
    )


def name_joint_breaks(found: Sequence[Finding], pairs: Sequence[Pair]) -> list[Finding]:
    """Say so where several columns went null together: one source feeds them all.

    They are not gone, then, each for itself: their source is. A column that is often null by itself
    joins them when it is null exactly where they are.
    """
    by_name = {pair.current.name: pair for pair in pairs}
    surges = [
        by_name[finding.column]
        for finding in found
        if finding.check == "null_surge"
        and finding.status is CheckStatus.CRITICAL
        and finding.column is not None
    ]
    if len(surges) < 2:
        return list(found)
    return [_joined(finding, by_name, surges) for finding in found]


def _joined(finding: Finding, by_name: dict[str, Pair], surges: Sequence[Pair]) -> Finding:
    if finding.check == "schema" and finding.status is CheckStatus.WARNING:
        return replace(finding, status=CheckStatus.OK, effect=0.0)
    if finding.check != "null_surge" or finding.column is None:
        return finding
    pair = by_name[finding.column]
    if not any(_went_together(pair, other) for other in surges):
        return finding
    others = [other.current.name for other in surges if other is not pair]
    text = f"{finding.reason}; together with {_listed(others)}: one source feeds them all"
    return replace(finding, reason=text, status=CheckStatus.CRITICAL)


def _went_together(pair: Pair, other: Pair) -> bool:
    share = pair.current.null_share
    rose = share - pair.reference.null_share > WARNING
    return rose and pair is not other and abs(share - other.current.null_share) <= _TOGETHER


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
