"""The detector: bets against the limit, restarted at every window, until they have won enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from monitor.detection.losses import Losses, Surrogate, surrogate_of
from monitor.performance.outcomes import Outcomes
from watchkeeper.own_metrics import NONE, OwnMetrics
from watchkeeper.schema import Task

Floats = NDArray[np.float64]

#: Sizes of harm that are bet on, in standard errors of a window beyond the limit.
HARMS = (0.7, 1.5, 2.7)
#: A bet may lose at most this share of what it has in one loss of zero.
_MOST_AT_STAKE = 0.95
#: The logarithm of the evidence is kept below this, so that its exponential stays finite.
MOST = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Detector:
    """What is bet against, fitted once on the reference of a version.

    Parameters
    ----------
    metric, task
        Whose losses are looked at.
    level
        Mean loss of the reference.
    limit
        Mean loss that is bet against: the reference's confidence bound plus the tolerance.
    cap
        Largest loss of a row; what is above counts as this.
    deviation
        Standard deviation of the loss of one row about the level.
    dispersion
        Variance of summed losses in units of that of as many independent rows, at least 1, for
        each bet: a small harm takes many windows to be seen, and their likeness counts.
    rows
        Rows with a loss in a usual window.
    threshold
        Evidence at which it alarms: the mean number of quiet windows between two alarms.
    windows
        Windows of the reference that it was fitted on, or the days of it where those are shorter.
    own
        What the metric is made from where it is one of the owner's own.
    """

    metric: str
    task: Task
    level: float
    limit: float
    cap: float
    deviation: float
    dispersion: tuple[float, ...]
    rows: float
    threshold: float
    windows: int
    own: OwnMetrics = NONE

    @property
    def surrogate(self) -> Surrogate:
        """How its metric is turned into losses."""
        return surrogate_of(self.metric, self.task, self.own)

    @property
    def stakes(self) -> Floats:
        """What is staked on each size of harm, shape ``(len(HARMS),)``, per unit of loss.

        A normal loss of standard error s that is z s beyond the limit is best bet on with z / s.
        """
        spread = self.deviation * math.sqrt(self.rows)
        stakes = np.asarray(HARMS) * np.sqrt(self.dispersion) / max(spread, 1e-12)
        if not self.surrogate.by_row:
            return stakes
        largest = 2.0 if self.metric == "f1" else 1.0
        return np.minimum(stakes, _MOST_AT_STAKE / max(self.limit * largest, 1e-12))

    def losses(self, tiles: Sequence[Outcomes], generator: np.random.Generator) -> Losses | None:
        """Return the losses of a window; None where it holds nothing to bet on.

        Parameters
        ----------
        tiles
            Outcomes of the window's tiles.
        generator
            Draws the groups of the ROC AUC.
        """
        labelled = [tile for tile in tiles if int(tile.rows) > 0]
        return self.surrogate.losses(labelled, generator, self.cap) if labelled else None

    def evidence(self, tiles: Sequence[Outcomes], generator: np.random.Generator) -> Floats:
        """Return the logarithm of what each bet makes of one unit in a window.

        Returns
        -------
        numpy.ndarray
            Shape ``(len(HARMS),)``; zeros where the window holds nothing to bet on.
        """
        return self.evidence_of(self.losses(tiles, generator))

    def harm_of(self, losses: Losses | None) -> float:
        """Return how much worse than the reference losses are, in units of what is tolerated.

        NaN where there are none.
        """
        level = math.nan if losses is None else losses.level
        return (level - self.level) / max(self.limit - self.level, 1e-12)

    def evidence_of(self, losses: Losses | None, shift: float = 0.0) -> Floats:
        """Return the logarithm of what each bet makes of one unit, given the losses.

        A bet of λ on bounded losses of rows gains Π (1 + λ (loss − limit)), whose expectation is
        at most 1 while the mean loss is within the limit (Waudby-Smith & Ramdas 2024). Sums of
        tiles have no bound; their bet gains Π (1 + x + x²/2) exp(−λ² variance / 2) with
        x = λ (loss − limit), and the reciprocal form below zero (Catoni's influence function;
        Wang & Ramdas 2023). Rows of one day are alike: the logarithm is divided by the dispersion,
        and by Jensen's inequality what remains is still fair.

        Parameters
        ----------
        shift
            Loss that is added per unit of size, for simulations.

        References
        ----------
        Waudby-Smith, I. & Ramdas, A. (2024). Estimating means of bounded random variables by
        betting. Journal of the Royal Statistical Society B 86(1), 1–27.
        Wang, H. & Ramdas, A. (2023). Catoni-style confidence sequences for heavy-tailed mean
        estimation. Stochastic Processes and their Applications 163, 168–202.
        """
        if losses is None:
            return np.zeros(len(HARMS))
        excess = losses.loss - (self.limit - shift) * losses.size
        moved = self.stakes[:, None] * excess
        if self.surrogate.by_row:
            gained = np.log1p(np.maximum(moved, -0.999)) @ losses.count
        else:
            size = np.abs(moved)
            influence = np.sign(moved) * np.log1p(size + size**2 / 2)
            variance = (self.stakes * self.deviation) ** 2 * losses.weight
            gained = influence @ losses.count - variance / 2
        return np.asarray(gained / np.asarray(self.dispersion), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return the detector as plain JSON types."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        del plain["own"]
        typed = {"task": str(self.task), "cap": _finite(self.cap), **self.own.to_dict()}
        return plain | typed | {"dispersion": list(self.dispersion)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        cap = math.inf if data["cap"] is None else data["cap"]
        known = {name: data[name] for name in data.keys() - {"value", "function"}}
        typed = {
            "task": Task(data["task"]),
            "cap": cap,
            "dispersion": tuple(data["dispersion"]),
            # Detectors stored before there were such metrics have none.
            "own": OwnMetrics.from_dict(data),
        }
        return cls(**(known | typed))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What the detector remembers between windows.

    Parameters
    ----------
    evidence
        ln(1 + M) of each bet, where M is the Shiryaev–Roberts statistic; during an alarm, what is
        left of it.
    alarmed
        Whether it has alarmed, and the trouble lasts.
    clear
        Windows within the limit in a row since then.
    """

    evidence: tuple[float, ...] = (0.0,) * len(HARMS)
    alarmed: bool = False
    clear: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain JSON types."""
        return {"evidence": list(self.evidence), "alarmed": self.alarmed, "clear": self.clear}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(evidence=tuple(data["evidence"]), alarmed=data["alarmed"], clear=data["clear"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What the detector says after a window.

    Parameters
    ----------
    value
        ln M, the logarithm of the evidence, averaged over the bets.
    alarmed
        Whether it has alarmed and the trouble lasts.
    fresh
        Whether it alarms with this window.
    """

    value: float
    alarmed: bool
    fresh: bool


def advance(
    state: State, gained: Floats, *, threshold: float, beyond: bool | None, clear_windows: int
) -> tuple[State, Said]:
    """Take in one window: M ← (M + 1) · E for every bet, and alarm when their mean is enough.

    This is the e-detector of Shin, Ramdas & Rinaldo (2024) in its Shiryaev–Roberts form: while no
    window is expected to be worse than the limit, M less the number of windows has no upward
    drift, so the mean number of windows to an alarm at M ≥ A is at least A. An alarm lasts until
    ``clear_windows`` windows in a row are within the limit and as much evidence as it took has
    been lost again; then everything starts anew. Without the second part a loss just beyond the
    limit would end its alarm, and raise another, every few weeks.

    Parameters
    ----------
    gained
        ln E of each bet, shape ``(len(HARMS),)``.
    threshold
        A, above 1.
    beyond
        Whether the window's own value is beyond the limit; None when it has no value. Only a
        window that is beyond can alarm.

    References
    ----------
    Shin, J., Ramdas, A. & Rinaldo, A. (2024). E-detectors: a nonparametric framework for
    sequential change detection. New England Journal of Statistics in Data Science 2(2), 229–260.

    Examples
    --------
    >>> state, said = advance(
    ...     State(), np.full(3, 5.0), threshold=90.0, beyond=True, clear_windows=3
    ... )
    >>> said.fresh, round(said.value, 1)
    (True, 5.0)
    """
    grown = np.asarray(state.evidence) + gained
    value = float(np.logaddexp.reduce(grown) - math.log(len(grown)))
    enough = math.log(threshold)
    if state.alarmed:
        clear = 0 if beyond else state.clear + (beyond is not None)
        if clear >= clear_windows and value < 0:
            return State(), Said(value=0.0, alarmed=False, fresh=False)
        kept = np.minimum(grown, enough)
        after = State(evidence=tuple(kept.tolist()), alarmed=True, clear=clear)
        return after, Said(value=value, alarmed=True, fresh=False)
    fresh = beyond is True and value >= enough
    kept = np.minimum(np.logaddexp(0.0, grown), enough if fresh else MOST)
    after = State(evidence=tuple(kept.tolist()), alarmed=fresh)
    return after, Said(value=min(value, MOST), alarmed=fresh, fresh=fresh)
