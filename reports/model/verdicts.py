"""What people said of the incidents that each rule opened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.model import Family


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleRow:
    """One rule in the list of judged rules: a family of findings of one model.

    Parameters
    ----------
    useful, judged
        Incidents that were worth the time (useful, or a bug in the data), of those judged.
    share, lower, upper
        ``useful / judged`` and its 95 % interval, from 0 to 1.
    fire, of
        As the rule is set now.
    proposed_fire, proposed_of, kept, dropped
        A stricter rule, how many useful incidents it would have opened as well, and how many of
        the others not; None without a proposal. Nothing changes by itself.
    sentence
        All of it in one line.
    """

    model: str
    family: Family
    useful: int
    data_bug: int
    known: int
    noise: int
    judged: int
    share: float
    lower: float
    upper: float
    fire: int
    of: int
    sentence: str
    proposed_fire: int | None = None
    proposed_of: int | None = None
    kept: int | None = None
    dropped: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RulesView:
    """The judged rules, the least precise first."""

    rows: tuple[RuleRow, ...]
    as_of: datetime
