"""What an alarm budget is worth: pages and delays simulated on the past of the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, chdtri

from monitor.detection.arming import arm, history_of, key_of
from monitor.detection.detector import HARMS, Detector, State, advance
from monitor.detection.fitting import History
from monitor.detection.losses import Losses
from monitor.detection.past import MINIMUM_UNITS, Past
from monitor.detection.simulation import draw_paths, runs
from watchkeeper.metric_function import title_of
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import DAY

Floats = NDArray[np.float64]

#: Simulated periods.
PATHS = 1_000
#: The simulated harm, in units of the tolerance.
HARM = 2.0
#: Simulated periods are drawn in blocks of a week on average, the least cycle of most traffic.
_BLOCK_DAYS = 7
_NORMAL = 1.96


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What is known of a budget before it has been lived through.

    Parameters
    ----------
    key
        Names the settings that it was tried for.
    pages, per
        What is allowed: ``pages`` per ``per`` (``quarter``).
    models, streams
        How many models share that, in how many fleets; one of them has its part of it.
    days, pages_seen
        Length of the reference in days, and how often the detector pages when it is run on it.
    at_most
        Upper 95 % bound of the pages in a period, from those seen (exact, Poisson).
    expected, expected_lower, expected_upper
        Pages in a period at the edge of what is tolerated, simulated; None where that cannot be.
    chance, chance_lower, chance_upper
        Chance of at least one page in such a period.
    harm
        Change of the metric that was simulated, in its own unit.
    delay_median, delay_90
        Days of labelled windows until it pages, for half and for nine tenths of the simulated
        harms; None where it takes longer than a period.
    unverified
        Why the budget is not shown to hold; empty when it is.
    """

    key: str
    metric: str
    pages: int
    per: str
    days: float
    models: int = 1
    streams: int = 0
    pages_seen: int = 0
    at_most: float | None = None
    expected: float | None = None
    expected_lower: float | None = None
    expected_upper: float | None = None
    chance: float | None = None
    chance_lower: float | None = None
    chance_upper: float | None = None
    harm: float | None = None
    delay_median: float | None = None
    delay_90: float | None = None
    unverified: str = ""

    @property
    def status(self) -> str:
        """``verified`` or ``budget_unverified``."""
        return "budget_unverified" if self.unverified else "verified"

    @property
    def sentence(self) -> str:
        """The budget in one line."""
        if self.at_most is None:
            return f"budget_unverified: {self.unverified}"
        seen = f"{self.pages_seen} page{'' if self.pages_seen == 1 else 's'}"
        known = f"{seen} in {self.days:.0f} days: at most {self.at_most:.1f} a {self.per} (95 %)"
        return f"{known}; {self._found()}"

    def _found(self) -> str:
        change = f"a change of {title_of(self.metric)} by {self.harm:.3g}"
        if self.delay_median is None:
            return f"{change} is found in no {self.per} (median)"
        later = f"{self.delay_90:.3g}" if self.delay_90 is not None else f"over a {self.per}"
        days = "day" if self.delay_median == 1 else "days"
        return f"{change} is found in {self.delay_median:.3g} {days} (median), {later} (90 %)"

    def to_dict(self) -> dict[str, Any]:
        """Return the budget as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(**data)


def back_test(past: Past, settings: ModelSettings, level: float | None) -> Budget:
    """Simulate a budget on the past of a reference.

    Periods are drawn from its windows by the stationary block bootstrap (Politis & Romano 1994),
    with loss added until its mean lies exactly at the limit, the worst that is no decay; and with
    twice the tolerance added, for the delay.

    Parameters
    ----------
    level
        The metric that decides, on the reference.

    References
    ----------
    Politis, D. N. & Romano, J. P. (1994). The stationary bootstrap. Journal of the American
    Statistical Association 89(428), 1303–1313.
    """
    budget, windows = settings.alarm_budget, settings.windows
    history = history_of(past, settings)
    detector = arm(history, settings, level)
    days = len(history.units) * (past.length / DAY) * (windows.lasts / windows.size)
    known = Budget(
        key=key_of(settings),
        metric=settings.tolerance.metric,
        pages=budget.pages,
        per=budget.per,
        days=days,
        models=budget.models,
        streams=budget.streams,
    )
    if detector is None or level is None:
        few = f"the reference has labels in fewer than {MINIMUM_UNITS} stretches of time"
        return replace(known, unverified=f"{few}; nothing pages")
    trial = _Trial(history, detector, settings, level)
    seen = trial.pages_seen()
    at_most = upper_rate(seen, timedelta(days=days), budget.period)
    at_limit, _ = trial.simulate(1.0)
    _, delays = trial.simulate(HARM)
    mean, error = float(at_limit.mean()), float(at_limit.std()) / PATHS**0.5
    paged = int((at_limit > 0).sum())
    known = replace(
        known,
        pages_seen=seen,
        at_most=at_most,
        expected=mean,
        expected_lower=max(0.0, mean - _NORMAL * error),
        expected_upper=mean + _NORMAL * error,
        chance=paged / PATHS,
        chance_lower=_share_bound(paged, 0.025),
        chance_upper=_share_bound(paged, 0.975),
        harm=HARM * settings.tolerance.change.of(level),
        delay_median=_quantile(delays, 0.5, windows.lasts),
        delay_90=_quantile(delays, 0.9, windows.lasts),
    )
    return replace(known, unverified=_doubt(known, budget.share))


def upper_rate(pages: int, exposure: timedelta, period: timedelta) -> float:
    """Return the upper 95 % bound of the pages in a period, exact for a Poisson count.

    Examples
    --------
    >>> round(upper_rate(0, timedelta(days=60), timedelta(days=90)), 1)
    4.5
    """
    return float(chdtri(2 * (pages + 1), 0.05)) / 2 * (period / max(exposure, timedelta(hours=1)))


def _doubt(known: Budget, allowed: float) -> str:
    if known.expected_lower is not None and known.expected_lower > allowed:
        return (
            f"{known.expected:.1f} pages a {known.per} are to be expected where the loss is just "
            f"tolerated"
        )
    if known.at_most is not None and known.at_most > allowed:
        return f"the reference of {known.days:.0f} days is too short to show it"
    return ""


def _share_bound(found: int, level: float) -> float:
    """Return a bound of a share of the paths (Clopper & Pearson 1934)."""
    if level < 0.5:
        return 0.0 if found == 0 else float(betaincinv(found, PATHS - found + 1, level))
    return 1.0 if found == PATHS else float(betaincinv(found + 1, PATHS - found, level))


def _quantile(windows: NDArray[np.int64], level: float, size: timedelta) -> float | None:
    """Return a quantile of the delays in days; a path without an alarm took longer than all."""
    taken = np.sort(np.where(windows == 0, np.iinfo(np.int64).max, windows))
    found = int(taken[math.ceil(level * len(taken)) - 1])
    return None if found == np.iinfo(np.int64).max else found * (size / DAY)


class _Trial:
    """A detector, and the past that it is tried on."""

    def __init__(
        self, history: History, detector: Detector, settings: ModelSettings, level: float
    ) -> None:
        surrogate = detector.surrogate
        limit = settings.tolerance.limit(level)
        self._allowed = surrogate.to_loss(limit) - surrogate.to_loss(level)
        self._history = history
        self._detector = detector
        self._clear = settings.alerts.clear_windows
        self._windows = max(1, round(settings.alarm_budget.period / settings.windows.lasts))
        blocks = _BLOCK_DAYS * history.per_day
        self._block = max(1.0, min(blocks, len(history.units) / 3))
        self._loss = np.array([(unit.count * unit.loss).sum() for unit in history.units])
        self._size = np.array([(unit.count * unit.size).sum() for unit in history.units])

    def pages_seen(self) -> int:
        """Return how often the detector pages on the reference as it was."""
        state, pages, per_window = State(), 0, self._history.per_window
        gained = self._gains(self._history.units, 0.0)
        for start in range(0, len(gained) - per_window + 1, per_window):
            part = slice(start, start + per_window)
            state, said = advance(
                state,
                gained[part].sum(axis=0),
                threshold=self._detector.threshold,
                beyond=bool(self._beyond(self._loss[part].sum(), self._size[part].sum())),
                clear_windows=self._clear,
            )
            pages += said.fresh
        return pages

    def simulate(self, harm: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return pages, and windows to the first, of periods with so many tolerances added."""
        units, per_window = self._history.units, self._history.per_window
        shift = harm * self._allowed
        chosen = draw_paths(
            np.random.default_rng(len(units)),
            units=len(units),
            length=self._windows * per_window,
            paths=PATHS,
            block=self._block,
        ).reshape(PATHS, self._windows, per_window)
        size = self._size[chosen].sum(axis=-1)
        loss = self._loss[chosen].sum(axis=-1) + shift * size
        return runs(
            self._gains(units, shift)[chosen].sum(axis=2),
            self._beyond(loss, size),
            threshold=self._detector.threshold,
            clear_windows=self._clear,
        )

    def _gains(self, units: Sequence[Losses], shift: float) -> Floats:
        return np.array([self._detector.evidence_of(unit, shift) for unit in units]).reshape(
            len(units), len(HARMS)
        )

    def _beyond(self, loss: Floats, size: Floats) -> NDArray[np.bool_]:
        return np.asarray(loss > (self._detector.level + self._allowed) * size)
