"""Whether the columns of a window differ from the reference by more than windows usually do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.comparison.drift import BOUND, CRITICAL_FACTOR, METRIC, status
from monitor.drift_reference import DriftReference
from monitor.edges import ColumnBins
from monitor.habits import Habit
from monitor.model import CheckResult, CheckStatus, Family, Threshold
from monitor.profiles.bins import PREDICTED, SCORE
from monitor.profiles.model import ColumnProfile, Profile
from monitor.statistics.chi_square import pearson
from monitor.statistics.homogeneity import Segment, given_bins, homogeneity
from monitor.statistics.interval import psi_effect
from monitor.statistics.multiple_testing import benjamini_hochberg
from monitor.statistics.power import minimum_detectable_effect
from monitor.statistics.psi import psi
from monitor.subject import Subject
from watchkeeper.schema import ColumnKind

ALPHA = 0.05
#: Critical windows open incidents. Columns and windows are many and neighbours are alike, so at
#: 5 % fifty quiet columns open up to 27 false ones in 1,000 windows; at 1 % some 3.
CRITICAL_ALPHA = 0.01
#: The change from which on drift is critical.
LIMIT = CRITICAL_FACTOR * BOUND
#: Bins are merged until each expects so many rows of the window.
_ROWS_PER_CELL = 10

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnDrift:
    """One column of a window against the reference.

    Parameters
    ----------
    value
        Population stability index, in nats.
    effect
        What is left of it without what windows usually differ by, at least 0.
    lower, upper
        Interval of the true change.
    p_value
        Chance of a difference as large without a change.
    detectable
        The smallest change that would be found with 80 % chance.
    known
        Whether the natural variation of windows is known; else rows are taken as independent.
    """

    name: str
    value: float
    effect: float
    lower: float
    upper: float
    p_value: float
    detectable: float
    known: bool
    n_reference: int
    n_current: int


def check_drift(subject: Subject, profile: Profile, reference: DriftReference) -> list[CheckResult]:
    """Compare every feature and the model's output with the reference.

    A window's statistic is divided by how much comparable windows differ from each other
    (quasi-likelihood, McCullagh & Nelder 1989), so that weather, weekdays and storms that the
    reference knows are no drift. Where there are fewer than eight such windows, rows are taken as
    independent and the reason says so. Where there are none, for example in a season never seen,
    nothing is judged. p-values are adjusted over all columns (Benjamini & Hochberg 1995); a status
    also needs a change that matters.
    """
    compared = compare_columns(profile, reference) if reference.profile.rows else []
    adjusted = benjamini_hochberg([drift.p_value for drift in compared])
    by_name = {drift.name: (drift, float(p)) for drift, p in zip(compared, adjusted, strict=True)}
    return [
        _result(subject, column, by_name.get(column.name), reference)
        for column in profile.columns()
    ]


def compare_columns(profile: Profile, reference: DriftReference) -> list[ColumnDrift]:
    """Compare the columns that have values enough to be compared at all."""
    known = {column.name: column for column in reference.profile.columns()}
    found = (
        compare_column(
            column,
            known[column.name],
            reference.bins.columns[column.name],
            reference.habits[column.name],
            columns=len(known),
        )
        for column in profile.columns()
    )
    return [drift for drift in found if drift is not None]


def compare_column(
    current: ColumnProfile,
    reference: ColumnProfile,
    bins: ColumnBins,
    habit: Habit,
    *,
    columns: int,
) -> ColumnDrift | None:
    """Compare one column; None when it holds too few values for even two cells.

    Parameters
    ----------
    columns
        How many are compared at once; for the smallest detectable change.
    """
    if not current.values or not reference.values:
        return None
    before, now = merge_cells(reference.counts, current.counts, ordered=not _is_category(bins))
    if len(before) < 2:
        return None
    n, m = int(before.sum()), int(now.sum())
    inflation = habit.variation.inflation(n, m) if habit.variation.known else 1.0
    # Rows that resemble each other are worth fewer independent ones.
    size = psi_effect(before / inflation, now / inflation)
    smallest = minimum_detectable_effect(n, m, len(before), alpha=ALPHA / columns)
    return ColumnDrift(
        name=current.name,
        value=psi(before, now),
        effect=size.effect,
        lower=size.lower,
        upper=size.upper,
        p_value=_p_value(before, now, bins, habit),
        detectable=inflation * smallest,
        known=habit.variation.known,
        n_reference=n,
        n_current=m,
    )


def verdict_on(drift: ColumnDrift, adjusted: float) -> CheckStatus:
    """Return the verdict on a column; what is not sure enough to be critical is a warning.

    Parameters
    ----------
    adjusted
        p-value adjusted over the columns of the window.
    """
    found = status(
        p_value_adjusted=adjusted, effect=drift.effect, detectable=drift.detectable, alpha=ALPHA
    )
    sure = found is not CheckStatus.CRITICAL or adjusted <= CRITICAL_ALPHA
    return found if sure else CheckStatus.WARNING


def merge_cells(reference: Counts, current: Counts, *, ordered: bool) -> tuple[Counts, Counts]:
    """Merge bins until each expects enough rows of the window, going by the reference alone.

    Ordered bins are merged with their neighbours, categories that are rare into one cell.

    Examples
    --------
    >>> before, now = np.array([50, 2, 3, 45]), np.array([40, 0, 0, 60])
    >>> [cells.tolist() for cells in merge_cells(before, now, ordered=True)]
    [[50, 50], [40, 60]]
    """
    expected = reference / reference.sum() * current.sum()
    if not ordered:
        rare = expected < _ROWS_PER_CELL
        merged = [np.append(part[~rare], part[rare].sum()) for part in (reference, current)]
    else:
        group, filled, groups = 0, 0.0, []
        for rows in expected.tolist():
            groups.append(group)
            filled += rows
            if filled >= _ROWS_PER_CELL:
                group, filled = group + 1, 0.0
        # What is left at the end is too little for a cell of its own.
        numbers = np.minimum(groups, max(group - 1, 0)) if filled else np.array(groups)
        merged = [
            np.bincount(numbers, weights=part).astype(np.int64) for part in (reference, current)
        ]
    used = (merged[0] > 0) | (merged[1] > 0)
    return merged[0][used], merged[1][used]


def _p_value(before: Counts, now: Counts, bins: ColumnBins, habit: Habit) -> float:
    if habit.variation.known:
        return habit.variation.p_value(
            float(pearson(before, now)),
            cells=len(before),
            n_reference=int(before.sum()),
            n_current=int(now.sum()),
        )
    fixed = bins.discrete or bins.atoms
    segments = given_bins(before, now) if fixed else [Segment(reference=before, current=now)]
    return homogeneity(segments, np.random.default_rng(0)).p_value


def _is_category(bins: ColumnBins) -> bool:
    return bins.kind is ColumnKind.CATEGORICAL


def _result(
    subject: Subject,
    column: ColumnProfile,
    found: tuple[ColumnDrift, float] | None,
    reference: DriftReference,
) -> CheckResult:
    is_output = column.name in {SCORE, PREDICTED}
    family = Family.OUTPUT_DRIFT if is_output else Family.INPUT_DRIFT
    threshold = Threshold(method="materiality", upper=LIMIT)
    if found is None:
        return CheckResult(
            measurement=subject.measurement(
                METRIC, None, column=column.name, n_current=column.values
            ),
            threshold=threshold,
            family=family,
            check="drift",
            status=CheckStatus.INSUFFICIENT_DATA,
            reason=_uncompared(column, reference),
        )
    drift, adjusted = found
    verdict = verdict_on(drift, adjusted)
    return CheckResult(
        measurement=subject.measurement(
            METRIC,
            drift.value,
            column=column.name,
            p_value=drift.p_value,
            lower=drift.lower,
            upper=drift.upper,
            n_current=drift.n_current,
            n_reference=drift.n_reference,
        ),
        threshold=threshold,
        family=family,
        check="drift",
        status=verdict,
        reason=_reason(drift, adjusted, verdict, reference.note),
        effect=drift.effect / LIMIT,
    )


def _uncompared(column: ColumnProfile, reference: DriftReference) -> str:
    if not reference.profile.rows:
        return reference.note
    return f"{column.values} values are too few to compare"


def _reason(drift: ColumnDrift, adjusted: float, verdict: CheckStatus, note: str) -> str:
    parts = [f"PSI {drift.value:.3f}, {drift.effect:.3f} beyond usual variation"]
    if verdict is not CheckStatus.INSUFFICIENT_DATA:
        parts.append(f"adjusted p {adjusted:.2g}")
    if verdict in {CheckStatus.INSUFFICIENT_DATA, CheckStatus.OK}:
        parts.append(f"a change of {drift.detectable:.2g} would be seen")
    if not drift.known:
        parts.append("natural variation unknown")
    if note:
        parts.append(note)
    return ", ".join(parts)
