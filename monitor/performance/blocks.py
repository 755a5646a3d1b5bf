"""The clusters of time that an interval treats as its units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from monitor.performance.outcomes import Outcomes

#: With at least so many local days, the day is the unit; a shorter stretch is cut into its tiles.
MINIMUM_DAYS = 5


def blocks_of(tiles: Mapping[datetime, Outcomes], zone: ZoneInfo) -> list[Outcomes]:
    """Return the outcomes of local days where there are enough of them, else those of the tiles.

    A storm or an outage lasts for hours: the hours of several days together are not independent,
    the days nearly are.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> from monitor.performance.from_rows import regression
    >>> start = datetime(2013, 6, 1, tzinfo=UTC)
    >>> tiles = {start + timedelta(hours=h): regression([0.0], [1.0]) for h in range(240)}
    >>> len(blocks_of(tiles, ZoneInfo("UTC")))
    10
    """
    days: dict[date, list[Outcomes]] = {}
    for start, outcomes in tiles.items():
        days.setdefault(start.astimezone(zone).date(), []).append(outcomes)
    if len(days) < MINIMUM_DAYS:
        return list(tiles.values())
    return [Outcomes.stack(parts).total() for parts in days.values()]
