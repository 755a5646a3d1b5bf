"""What verdicts say of a rule: its precision, and a change that would have been better; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alerts.model import Verdict
from alerts.policy import Rule
from alerts.rules import Judged, Phase, step
from monitor.model import Family

#: Standard normal quantile of a two-sided 95 % interval.
_Z = 1.959963984540054
_LONGEST = 6
_LEAST_JUDGED = 5
#: An incident was worth the time when it was right, whatever its cause.
_WORTH = (Verdict.USEFUL, Verdict.DATA_BUG)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A rule that would have kept every useful incident and dropped some of the others."""

    rule: Rule
    kept: int
    dropped: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """What people said of the incidents that one rule opened.

    Parameters
    ----------
    counts
        Incidents by verdict.
    rule
        As it is set now.
    """

    model: str
    family: Family
    counts: Mapping[Verdict, int]
    rule: Rule
    proposal: Proposal | None = None

    @property
    def judged(self) -> int:
        """How many incidents were judged."""
        return sum(self.counts.values())

    @property
    def worth(self) -> int:
        """How many were worth the time: useful, or a bug in the data."""
        return sum(self.counts.get(verdict, 0) for verdict in _WORTH)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share that was worth the time."""
        return wilson(self.worth, self.judged)


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """One judged incident with the windows that led to it.

    Parameters
    ----------
    series
        Per series, its windows with a verdict, in order.
    fixed
        It opened by a rule that no setting changes.
    """

    worth: bool
    series: Sequence[Sequence[Judged]] = field(default=())
    fixed: bool = False

    def fires(self, rule: Rule) -> bool:
        """Tell whether it would have opened under a rule."""
        return self.fixed or any(_fires(windows, rule) for windows in self.series)


def is_worth(verdict: Verdict) -> bool:
    """Tell whether an incident with this verdict was worth the time."""
    return verdict in _WORTH


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson, JASA 22, 1927, 209-212).

    Examples
    --------
    >>> [round(bound, 3) for bound in wilson(2, 14)]
    [0.04, 0.399]
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if n == 0:
        return (0.0, 1.0)
    share, z2 = hits / n, _Z * _Z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if hits == 0 else centre - half
    return (low, 1.0 if hits == n else centre + half)


def propose(episodes: Sequence[Episode], rule: Rule) -> Proposal | None:
    """Return the mildest stricter rule that drops the most and loses nothing that was worth it.

    None where too few were judged, or where no rule is better. What the present rule does not
    open any more when it is replayed, say because its settings have changed since, counts for
    neither side.
    """
    known = [episode for episode in episodes if episode.fires(rule)]
    if len(episodes) < _LEAST_JUDGED or not known:
        return None
    worth = [episode for episode in known if episode.worth]
    rest = [episode for episode in known if not episode.worth]
    best: Proposal | None = None
    for candidate in _stricter(rule):
        if not all(episode.fires(candidate) for episode in worth):
            continue
        dropped = sum(not episode.fires(candidate) for episode in rest)
        if dropped > (0 if best is None else best.dropped):
            best = Proposal(rule=candidate, kept=len(worth), dropped=dropped)
    return best


def told(found: Precision) -> str:
    r"""Return what is known of a rule in one line.

    Examples
    --------
    >>> rule = Rule(fire=2, of=3, clear_windows=3)
    >>> proposal = Proposal(rule=Rule(fire=3, of=4, clear_windows=3), kept=2, dropped=9)
    >>> counts = {Verdict.USEFUL: 2, Verdict.NOISE: 12}
    >>> found = Precision(model="flights", family=Family.PERFORMANCE, counts=counts, rule=rule,
    ...                   proposal=proposal)
    >>> print(told(found).replace("; ", ";\n"))
    performance of flights: 2 of 14 useful (95 % CI 4 % to 40 %);
    raise fire to 3 of 4: it would have kept all 2 that were useful and dropped 9
    """
    lower, upper = found.interval
    name = f"{found.family.replace('_', ' ')} of {found.model}"
    line = (
        f"{name}: {found.worth} of {found.judged} useful "
        f"(95 % CI {100 * lower:.0f} % to {100 * upper:.0f} %)"
    )
    if found.proposal is None:
        return line
    rule = found.proposal.rule
    kept = (
        f"all {found.proposal.kept} that were useful" if found.proposal.kept else "nothing useful"
    )
    return (
        f"{line}; raise fire to {rule.fire} of {rule.of}: it would have kept {kept} and dropped "
        f"{found.proposal.dropped}"
    )


def _stricter(rule: Rule) -> Iterable[Rule]:
    """Yield rules that need more bad windows, the mildest first."""
    for fire in range(rule.fire, _LONGEST + 1):
        for of in range(_LONGEST, fire - 1, -1):
            if (fire > rule.fire and fire / of >= rule.fire / rule.of) or (
                fire == rule.fire and of < rule.of
            ):
                yield Rule(fire=fire, of=of, clear_windows=rule.clear_windows)


def _fires(windows: Sequence[Judged], rule: Rule) -> bool:
    phase = Phase()
    for window in windows:
        phase = step(phase, window, rule)
        if phase.firing:
            return True
    return False
