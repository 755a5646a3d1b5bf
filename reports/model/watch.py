"""The watch over the watch, as the front page says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchView:
    """What the newest audit of deliveries, schedules and loops found.

    Parameters
    ----------
    ok
        Whether one was made of late, and none of late found anything.
    seconds
        Since the newest; None when there was never any.
    """

    ok: bool
    findings: tuple[str, ...] = ()
    seconds: float | None = None
