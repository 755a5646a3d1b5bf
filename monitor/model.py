"""What monitoring says: measurements, the verdicts on them, and evaluated windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watchkeeper.window import Window

#: The check that spends the alarm budget: when it is critical, a person is woken.
DECAY = "decay"
#: The check that holds the models of a fleet against each other; it opens a ticket.
BEHIND_FLEET = "behind_fleet"
#: Checks that weigh several windows and few labels themselves: one critical result is enough.
DETECTORS = frozenset({DECAY, BEHIND_FLEET})


class CheckStatus(StrEnum):
    """The verdict on one measurement, from good to bad; the last two say that there is none."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    INSUFFICIENT_DATA = "insufficient_data"
    FAILED = "failed"


class Family(StrEnum):
    """What kind of trouble a check looks for; incidents are opened per family."""

    PERFORMANCE = "performance"
    DATA_CONTRACT = "data_contract"
    INPUT_DRIFT = "input_drift"
    OUTPUT_DRIFT = "output_drift"
    PIPELINE = "pipeline"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One number about one window: the contract between all folders.

    Parameters
    ----------
    metric
        Name in the table of statistics or metrics, for example ``log_loss`` or ``psi``.
    column, segment
        What it is about; None for the model or window as a whole.
    reference_id
        What it was compared with; None when it stands by itself.
    value, p_value, lower, upper
        The number, its p-value where the metric has a null, its 95 % interval; None
        where not finite.
    n_reference, n_current
        Rows behind either side.
    computed_at
        Event time of the evaluation.
    """

    model: str
    version: int
    metric: str
    window: Window
    value: float | None
    n_current: int
    computed_at: datetime
    column: str | None = None
    segment: str | None = None
    reference_id: int | None = None
    p_value: float | None = None
    lower: float | None = None
    upper: float | None = None
    n_reference: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """The limits that a measurement was held against; None is no limit on that side."""

    method: str
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """A measurement, its threshold, and what follows.

    Parameters
    ----------
    check
        What was looked for: ``performance``, ``drift``, or a data quality check by its name
        (``null_surge``, ``unseen_category``, …).
    reason
        One sentence for a person, without row values.
    effect
        Size of the finding in units of its limit, 1.0 at the limit; None where there is no verdict.
    """

    measurement: Measurement
    threshold: Threshold
    family: Family
    check: str
    status: CheckStatus
    reason: str
    effect: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatedWindow:
    """Everything that one evaluation of one window of one model version found.

    Parameters
    ----------
    rows, labels
        Predictions in the window, and how many of them have a label so far.
    labels_mature
        Whether the labels of the whole window have had their delay to arrive.
    revision
        0 for the first evaluation; later ones are corrections after late rows or labels.
    """

    model: str
    version: int
    window: Window
    rows: int
    labels: int
    labels_mature: bool
    evaluated_at: datetime
    results: tuple[CheckResult, ...]
    revision: int = 0

    def of(self, family: Family) -> tuple[CheckResult, ...]:
        """Return the results of one family."""
        return tuple(result for result in self.results if result.family is family)
