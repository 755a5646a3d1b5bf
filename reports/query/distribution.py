"""From counts on a reference's bins to a histogram that a person can read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from monitor.edges import ColumnBins
from monitor.profiles.model import ColumnProfile
from reports import words
from reports.model import Distribution
from watchkeeper.schema import ColumnKind

#: Categories drawn one by one; the rest share a bar.
_MOST_BARS = 24
_OTHERS = "all others"


def distribution_of(
    bins: ColumnBins, reference: ColumnProfile, current: ColumnProfile | None
) -> Distribution:
    """Return the shares per bin of the reference and of the window.

    The open bin above the last edge is left out while it is empty on both sides, and a long list
    of categories is cut to the most frequent ones.
    """
    labels = bin_labels(bins)
    then = [int(count) for count in reference.counts]
    now = [0] * len(then) if current is None else [int(count) for count in current.counts]
    if bins.kind is ColumnKind.CATEGORICAL:
        labels, then, now = _most_frequent(labels, then, now)
    if len(then) > 1 and not then[-1] and not now[-1]:
        labels, then, now = labels[:-1], then[:-1], now[:-1]
    return Distribution(
        labels=tuple(labels),
        reference=_shares(then),
        current=_shares(now) if sum(now) else (),
    )


def bin_labels(bins: ColumnBins) -> list[str]:
    """Name the bins.

    Examples
    --------
    >>> bin_labels(ColumnBins(kind=ColumnKind.NUMERICAL, edges=(0.0, 10.0), atoms=(0.0,)))
    ['0', '0 to 10', 'above 10']
    >>> bin_labels(ColumnBins(kind=ColumnKind.CATEGORICAL, categories=("AA", "UA")))
    ['AA', 'UA', 'all others']
    """
    if bins.kind is ColumnKind.CATEGORICAL:
        return [*(category or "(empty)" for category in bins.categories), _OTHERS]
    if not bins.edges:
        return ["all values"]
    atoms = frozenset(bins.atoms)
    # The edge just below an atom is written as the atom: its last digit helps nobody.
    just_below = {math.nextafter(atom, -math.inf): atom for atom in atoms}
    written = [_write(just_below.get(edge, edge), bins.kind) for edge in bins.edges]
    labels = []
    for i, edge in enumerate(bins.edges):
        if edge in atoms:
            labels.append(written[i])
        else:
            labels.append(f"{written[i - 1]} to {written[i]}" if i else f"up to {written[i]}")
    return [*labels, f"above {written[-1]}"]


def _write(edge: float, kind: ColumnKind) -> str:
    if kind is ColumnKind.DATETIME:
        return f"{datetime.fromtimestamp(edge / 1e6, UTC):%Y-%m-%d %H:%M}"
    if kind is ColumnKind.TEXT:
        return f"{edge:.0f} characters"
    return words.number(edge)


def _most_frequent(
    labels: list[str], then: list[int], now: list[int]
) -> tuple[list[str], list[int], list[int]]:
    order = sorted(range(len(then) - 1), key=lambda i: (-then[i], labels[i]))
    shown, rest = order[:_MOST_BARS], [*order[_MOST_BARS:], len(then) - 1]
    return (
        [*(labels[i] for i in shown), _OTHERS],
        [*(then[i] for i in shown), sum(then[i] for i in rest)],
        [*(now[i] for i in shown), sum(now[i] for i in rest)],
    )


def _shares(counts: Sequence[int]) -> tuple[float, ...]:
    total = sum(counts)
    return tuple(count / total if total else 0.0 for count in counts)
