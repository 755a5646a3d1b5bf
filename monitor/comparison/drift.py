"""The test of one column and what follows for its status."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.model import CheckStatus
from monitor.statistics.homogeneity import DRAWS, Outcome, Segment, homogeneity
from monitor.statistics.interval import Effect, psi_effect
from monitor.statistics.power import minimum_detectable_effect
from monitor.statistics.table import STATISTICS

METRIC = "psi"
#: The smallest change that matters; larger by this factor it is critical.
BOUND = STATISTICS[METRIC].bound or math.inf
CRITICAL_FACTOR = 2.5
_MOST_DRAWS = 400_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """One column's cells and what the test of them says."""

    segments: tuple[Segment, ...]
    outcome: Outcome
    effect: Effect


class Examiner:
    """Tests columns; equal tables of counts get equal p-values, in whatever order they come.

    Parameters
    ----------
    seed
        Of the simulated null distributions.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def test(self, segments: Sequence[Segment]) -> Examined:
        """Test one column with the usual number of simulated tables."""
        reference = np.concatenate([segment.reference for segment in segments])
        current = np.concatenate([segment.current for segment in segments])
        return Examined(
            segments=tuple(segments),
            outcome=homogeneity(segments, self._generator(segments)),
            effect=psi_effect(reference, current),
        )

    def sharpen(self, tested: Sequence[Examined], *, alpha: float) -> list[Examined]:
        """Simulate more where no simulated table came near what was seen.

        With few draws no p-value can be small enough to stand among many columns.
        """
        floor = sum(map(_at_floor, tested))
        needed = min(math.ceil(4 * len(tested) / (alpha * max(floor, 1))), _MOST_DRAWS)
        if needed <= DRAWS:
            return list(tested)
        return [self._again(one, needed) if _at_floor(one) else one for one in tested]

    def _again(self, tested: Examined, draws: int) -> Examined:
        generator = self._generator(tested.segments)
        outcome = homogeneity(tested.segments, generator, draws=draws)
        return Examined(segments=tested.segments, outcome=outcome, effect=tested.effect)

    def _generator(self, segments: Sequence[Segment]) -> np.random.Generator:
        key = b"".join(
            part.astype(np.int64).tobytes()
            for segment in segments
            for part in (segment.reference, segment.current)
        )
        return np.random.default_rng((self._seed, zlib.crc32(key)))


def _at_floor(tested: Examined) -> bool:
    return tested.outcome.draws > 0 and tested.outcome.exceedances == 0


def smallest_detectable(
    tested: Examined, *, n_reference: int, n_current: int, alpha: float, columns: int
) -> float:
    """Return the smallest effect that this column's test finds in four of five cases."""
    return minimum_detectable_effect(
        n_reference, n_current, tested.outcome.cells, alpha=alpha / max(columns, 1)
    )


def status(
    *, p_value_adjusted: float, effect: float, detectable: float, alpha: float
) -> CheckStatus:
    """Return the verdict on one column.

    It must be significant and large enough to matter; else it must at least have been visible.

    Examples
    --------
    >>> str(status(p_value_adjusted=0.001, effect=0.3, detectable=0.05, alpha=0.05))
    'critical'
    >>> str(status(p_value_adjusted=0.5, effect=0.3, detectable=0.4, alpha=0.05))
    'insufficient_data'
    """
    if p_value_adjusted <= alpha and effect >= BOUND:
        critical = effect >= CRITICAL_FACTOR * BOUND
        return CheckStatus.CRITICAL if critical else CheckStatus.WARNING
    if detectable > CRITICAL_FACTOR * BOUND:
        return CheckStatus.INSUFFICIENT_DATA
    return CheckStatus.OK
