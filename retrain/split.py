"""Which rows train, which choose between candidates, and which judge: always in order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from watchkeeper.errors import TrainingError

#: Shares of the past, from its newest end, that a search tries.
SHARES = (1.0, 0.5, 0.25)
#: Days that judge a challenger: enough to know how much days differ, few enough to stay fresh.
FEWEST_JUDGING, MOST_JUDGING = 4, 10
#: Days that choose between the candidates of a search.
FEWEST_CHOOSING, MOST_CHOOSING = 3, 5
#: Of a first training table, the newest part is held out as the reference.
REFERENCE_SHARE = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Three stretches of local days: training before ``choosing``, then choosing, then judging.

    Parameters
    ----------
    judging
        First day of the rows that compare challenger and champion; neither has seen them.
    choosing
        First day of the rows that choose between candidates; None when there are none.
    """

    judging: date
    choosing: date | None


def fits_of(window: Literal["search", "all"] | timedelta) -> int:
    """Return how many models one attempt fits: each candidate, and the chosen one again on more.

    Examples
    --------
    >>> fits_of("search"), fits_of(timedelta(days=90))
    (4, 1)
    """
    return len(SHARES) + 1 if window == "search" else 1


def split_days(rows: Mapping[date, int], *, search: bool) -> Split:
    """Set the newest of the days aside that the champion has not been trained on.

    A third of the days judges, at least 4 and at most 10; with a search a third of what is left,
    at least 3 and at most 5, chooses. The other days, and all of the past, train.

    Parameters
    ----------
    rows
        Mature labelled rows of each local day that the champion has not seen.
    search
        Whether candidates must be chosen between.

    Raises
    ------
    TrainingError
        ``refused``: fewer than 8 days, so that nothing new would be left to train on.

    Examples
    --------
    >>> days = {date(2013, 6, day): 400 for day in range(1, 31)}
    >>> split_days(days, search=True)
    Split(judging=datetime.date(2013, 6, 21), choosing=datetime.date(2013, 6, 16))
    """
    days = sorted(day for day, count in rows.items() if count)
    if len(days) < 2 * FEWEST_JUDGING:
        raise TrainingError(
            "refused",
            f"{len(days)} days of mature labels since the champion was trained, "
            f"expected at least {2 * FEWEST_JUDGING}",
        )
    judging = min(max(len(days) // 3, FEWEST_JUDGING), MOST_JUDGING)
    left = len(days) - judging
    choosing = min(left // 3, MOST_CHOOSING)
    if not search or choosing < FEWEST_CHOOSING:
        return Split(judging=days[-judging], choosing=None)
    return Split(judging=days[-judging], choosing=days[-judging - choosing])


def beginnings(
    window: Literal["search", "all"] | timedelta, first: datetime, end: datetime
) -> list[datetime]:
    """Return where the training rows of each candidate begin, the longest past first.

    Parameters
    ----------
    first, end
        Event time of the oldest row, and the end of the training rows.

    Examples
    --------
    >>> first, end = datetime(2013, 1, 1), datetime(2013, 1, 9)
    >>> [begin.day for begin in beginnings("search", first, end)]
    [1, 5, 7]
    """
    if window == "search":
        return [end - (end - first) * share for share in SHARES]
    if window == "all":
        return [first]
    return [max(first, end - window)]
