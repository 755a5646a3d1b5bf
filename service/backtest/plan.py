"""At which moments each window of a log is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.sources.windows import PlannedWindow
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One evaluation of a window: when, and the how many-th it is."""

    now: datetime
    window: Window
    number: int


def looks_at(windows: Sequence[PlannedWindow], settings: ModelSettings) -> list[Look]:
    """Return the evaluations in the order in which they would happen.

    A window is looked at when it closes, once more when its labels are mature, and once more when
    the last of its labels has come if that was later: what the worker does by its ticks.
    """
    found = []
    for planned in windows:
        window = planned.window
        times = [window.end, window.end + settings.label.delay]
        last = planned.last_known
        if last is not None and last > times[-1]:
            times.append(last)
        moments = sorted(set(times))
        found += [Look(now=now, window=window, number=n) for n, now in enumerate(moments)]
    return sorted(found, key=lambda look: (look.now, look.window.start))
