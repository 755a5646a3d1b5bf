"""Whether past estimates came true when their labels arrived, and so whether to trust the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binom

#: Checked windows that count, newest first.
MEMORY = 20
#: Distrust starts where so many misses would be this unlikely of a sound estimate.
_UNLIKELY = 0.001
#: A miss is one that matters: larger than this share of the tolerated change.
_MATTERS = 0.25
#: Share of windows that a sound 95 % interval misses.
_MISSES = 0.05
#: With this share of rows unlike any of the reference an estimate is a guess.
_OUTSIDE = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """How an estimate of a past window came out when its mature labels were known.

    Parameters
    ----------
    error
        Estimate minus realised value.
    lower, upper
        Between which the estimate's 95 % interval expected it.
    """

    error: float
    lower: float
    upper: float

    @property
    def inside(self) -> bool:
        """Whether the interval held what it promised."""
        return self.lower <= self.error <= self.upper


def distrust(checked: Sequence[Checked], allowed: float | None, outside: float) -> str | None:
    """Say why the newest estimate is not to be trusted; None when it is.

    A miss is a realised value outside the interval by an error that matters. Misses are counted
    against the 5 % of a sound interval by an exact binomial test at 0.1 %: three of three, five of
    ten, six of twenty.

    Parameters
    ----------
    checked
        Past windows, the newest first.
    allowed
        The tolerated change of the metric; None where there is none.
    outside
        Share of the window's rows of whose like the reference knows nothing.

    Examples
    --------
    >>> bad = Checked(error=0.1, lower=-0.01, upper=0.01)
    >>> distrust([bad] * 3, 0.02, 0.0)
    'it missed 3 of the last 3 windows with labels, by 0.1 on average'
    >>> distrust([bad] * 2, 0.02, 0.0) is None
    True
    """
    if outside > _OUTSIDE:
        return f"{outside:.0%} of the rows are unlike any in the reference"
    recent = list(checked[:MEMORY])
    least = 0.0 if allowed is None else _MATTERS * allowed
    missed = [each for each in recent if not each.inside and abs(each.error) > least]
    if missed and binom.sf(len(missed) - 1, len(recent), _MISSES) < _UNLIKELY:
        mean = sum(abs(each.error) for each in missed) / len(missed)
        return (
            f"it missed {len(missed)} of the last {len(recent)} windows with labels, "
            f"by {mean:.2g} on average"
        )
    return None
