"""Words for people: what a loss has cost beyond its tolerance, and how fast it is spent."""

from __future__ import annotations

from alerts.wording import metric_name, number
from monitor.performance.burn import Burn


def burn_facts(burn: Burn | None) -> list[tuple[str, str]]:
    """Return what is known of a burn as names and values."""
    if burn is None:
        return []
    rate = rate_words(burn)
    return [("Loss beyond tolerance", spent_words(burn)), *([("Burn rate", rate)] if rate else [])]


def spent_words(burn: Burn) -> str:
    """Return how much loss beyond the tolerance has been spent, in the metric's unit.

    Examples
    --------
    >>> spent_words(Burn(metric="mae", windows=2, waiting=1, labels=200, days=2.0, excess=8.0))
    'MAE 8.000 in all over 200 labelled rows (0.040 a row), 4.000 a day; 1 window not yet in'
    """
    late = f"{burn.waiting} window{'' if burn.waiting == 1 else 's'} not yet in"
    if not burn.windows:
        return f"no window has all its labels; {late}"
    spent = (
        f"{metric_name(burn.metric)} {number(burn.excess)} in all over {burn.labels:,} labelled "
        f"rows ({number(burn.per_row)} a row), {number(burn.per_day)} a day"
    )
    return f"{spent}; {late}" if burn.waiting else spent


def rate_words(burn: Burn) -> str:
    """Return how fast loss is spent, in units of what is tolerated; empty where nobody knows.

    Examples
    --------
    >>> rate_words(Burn(metric="mae", windows=2, waiting=1, labels=200, days=2.0, rate=2.04))
    '2.0 times what is tolerated, over 2 windows with all their labels'
    """
    if burn.rate is None:
        return ""
    over = f"{burn.windows} window{'' if burn.windows == 1 else 's'} with all their labels"
    return f"{max(0.0, burn.rate):.1f} times what is tolerated, over {over}"
