"""Categories appear that the reference does not list."""

from __future__ import annotations

from monitor.habits import wilson_limit
from monitor.quality.model import Finding, Pair, judge_share
from watchkeeper.schema import ColumnKind

#: Where windows of the reference brought so many new categories, new ones are its habit.
_HABITUAL = 0.05
#: A column that had but one category says nothing of which others it may have.
_VARIED = 2


def unseen_category(pair: Pair) -> Finding | None:
    """Find categories that the reference does not list.

    A column that brought new categories in the reference itself, as a month or a season does, is
    expected to go on so.
    """
    current = pair.current
    if current.kind is not ColumnKind.CATEGORICAL or not len(current.counts):
        return None
    usual = pair.reference.unseen / pair.reference.values if pair.reference.values else 0.0
    limit = wilson_limit(usual, pair.reference.values, upper=True)
    if pair.usual.novel > _HABITUAL or int((pair.reference.counts > 0).sum()) < _VARIED:
        limit = 1.0
    share = current.unseen / current.values if current.values else 0.0
    text = f"{current.unseen} of {current.values} values are categories never seen before"
    return judge_share("unseen_category", share, current.values, limit, text, column=current.name)
