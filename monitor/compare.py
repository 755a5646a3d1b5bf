"""Compare two tables, column by column, and find faults of the data on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.comparison import pictures, quality, rows, units
from monitor.comparison.cells import category_segments, number_segments
from monitor.comparison.columns import shared_columns
from monitor.comparison.drift import METRIC, Examined, Examiner, smallest_detectable, status
from monitor.comparison.model import ColumnComparison, Comparison, Histogram, QualityFinding
from monitor.comparison.reading import ColumnReading, Pair, Progress, read
from monitor.comparison.scan import CategoryCounts, NumberCounts
from monitor.model import CheckStatus
from monitor.statistics.homogeneity import Segment
from monitor.statistics.multiple_testing import benjamini_hochberg, holm
from monitor.tables import Tables
from watchkeeper.schema import ColumnKind

#: Share of later rows that tells a clock, which only runs on, from a date that can drift.
_LATER = 0.9
#: Serial numbers leave out at most so much of their stretch: it has so many numbers a row.
_DENSE = 1.1
#: What values in another unit show as well; it says nothing more.
_OF_A_UNIT = frozenset({"out_of_range", "precision_loss"})
#: Only columns with a smaller p-value are looked at for a changed unit or swapped values.
_MOVED = 0.001
#: Part of the rows with one value, beyond what it had before, that may be a feed that stood still.
_REPEATED = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    reading: ColumnReading
    tested: Examined | None
    note: str = ""


def compare(
    reference: str,
    current: str,
    *,
    columns: Sequence[str] | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two tables.

    Parameters
    ----------
    reference, current
        Paths, globs, folders or Ibis URLs, as :meth:`monitor.tables.Tables.open` takes them.
    columns
        Names of the columns to compare; all that both tables have by default.
    alpha
        Level of the adjusted p-values, in ``(0, 0.8)``.
    seed
        Of samples and simulations; the same seed gives the same result.

    Raises
    ------
    TableError
        A table cannot be read, or the two have no column in common.
    ValueError
        ``alpha`` is out of range.
    """
    if not 0 < alpha < 0.8:
        raise ValueError(f"expected alpha between 0 and 0.8, got {alpha}")
    wanted = None if columns is None else tuple(columns)
    tell = progress or _silent
    with Tables() as tables:
        tell("opening", 0.0)
        pair = Pair(tables=tables, reference=tables.open(reference), current=tables.open(current))
        shared = shared_columns(pair.reference, pair.current, wanted)
        readings = read(pair, shared, seed=seed, progress=tell)
        tell("testing", 0.0)
        examiner = Examiner(seed)
        judged = _tested([_judge(reading, examiner) for reading in readings], examiner, alpha=alpha)
        found = _quality(pair, judged, wanted)
    compared, any_difference = _verdicts(judged, pair, alpha=alpha)
    return Comparison(
        reference=pair.reference.name,
        current=pair.current.name,
        n_reference=pair.reference.rows,
        n_current=pair.current.rows,
        alpha=alpha,
        any_difference=any_difference,
        columns=compared,
        quality=tuple(found),
    )


def _silent(_what: str, _share: float) -> None:
    pass


def _judge(reading: ColumnReading, examiner: Examiner) -> _Judged:
    segments = _segments(reading)
    if segments is None:
        return _Judged(reading=reading, tested=None, note="its values cannot be read alike")
    if not all(sum(segment.totals[side] for segment in segments) for side in (0, 1)):
        return _Judged(reading=reading, tested=None, note="one of the tables has no rows")
    if _runs_on(reading):
        note = "not compared: it runs on from one table to the other, as time and serial numbers do"
        return _Judged(reading=reading, tested=None, note=note)
    return _Judged(reading=reading, tested=examiner.test(segments))


def _segments(reading: ColumnReading) -> list[Segment] | None:
    before, now = reading.reference, reading.current
    if isinstance(before, NumberCounts) and isinstance(now, NumberCounts) and reading.bins:
        return number_segments(before, now, reading.bins)
    if isinstance(before, CategoryCounts) and isinstance(now, CategoryCounts):
        return category_segments(before, now)
    return None


def _runs_on(reading: ColumnReading) -> bool:
    """Whether a column is a clock or a serial number, whose later values are no change at all."""
    before, now = reading.reference, reading.current
    if not (isinstance(before, NumberCounts) and isinstance(now, NumberCounts)):
        return False
    if not (before.finite and now.finite):
        return False
    beyond = max(now.over, now.under) / now.finite
    if reading.kind is ColumnKind.DATETIME:
        return beyond >= _LATER
    values = reading.reference_sample
    if reading.kind is not ColumnKind.NUMERICAL or values is None or beyond < 1 or len(values) < 30:
        return False
    whole = bool((values == np.round(values)).all())
    gap = max(now.minimum - before.maximum, before.minimum - now.maximum)
    # The next serial number follows soon; a value in another unit does not, unless both tables
    # have every number of their stretch.
    width = before.maximum - before.minimum
    dense = [side.maximum - side.minimum <= _DENSE * side.finite for side in (before, now)]
    return whole and (gap <= width or all(dense)) and len(np.unique(values)) == len(values)


def _tested(judged: Sequence[_Judged], examiner: Examiner, *, alpha: float) -> list[_Judged]:
    sharpened = iter(
        examiner.sharpen([one.tested for one in judged if one.tested is not None], alpha=alpha)
    )
    return [
        _Judged(reading=one.reading, tested=next(sharpened) if one.tested else None, note=one.note)
        for one in judged
    ]


def _verdicts(
    judged: Sequence[_Judged], pair: Pair, *, alpha: float
) -> tuple[tuple[ColumnComparison, ...], float | None]:
    p_values = [one.tested.outcome.p_value if one.tested else np.nan for one in judged]
    adjusted = benjamini_hochberg(p_values)
    strictest = holm(p_values)
    tested = int(np.count_nonzero(~np.isnan(adjusted)))
    compared = tuple(
        _verdict(one, float(value), pair, alpha=alpha, columns=tested)
        for one, value in zip(judged, adjusted, strict=True)
    )
    return compared, float(np.nanmin(strictest)) if tested else None


def _verdict(
    one: _Judged, adjusted: float, pair: Pair, *, alpha: float, columns: int
) -> ColumnComparison:
    rows = (pair.reference.rows, pair.current.rows)
    tested = one.tested
    detectable = None
    verdict = CheckStatus.OK if _runs_on(one.reading) else CheckStatus.INSUFFICIENT_DATA
    if tested:
        detectable = smallest_detectable(
            tested, n_reference=rows[0], n_current=rows[1], alpha=alpha, columns=columns
        )
        verdict = status(
            p_value_adjusted=adjusted,
            effect=tested.effect.effect,
            detectable=detectable,
            alpha=alpha,
        )
    return ColumnComparison(
        name=one.reading.column.name,
        kind=one.reading.kind,
        metric=METRIC,
        value=tested.effect.value if tested else None,
        p_value=tested.outcome.p_value if tested else None,
        p_value_adjusted=adjusted if tested else None,
        lower=tested.effect.lower if tested else None,
        upper=tested.effect.upper if tested else None,
        effect=tested.effect.effect if tested else None,
        minimum_detectable_effect=detectable,
        status=verdict,
        n_reference=rows[0],
        n_current=rows[1],
        null_share_reference=_null_share(one.reading.reference),
        null_share_current=_null_share(one.reading.current),
        note=one.note,
        histogram=_picture(one.reading),
    )


def _null_share(counts: NumberCounts | CategoryCounts | None) -> float | None:
    return counts.missing / counts.rows if counts and counts.rows else None


def _picture(reading: ColumnReading) -> Histogram | None:
    before, now = reading.reference, reading.current
    if isinstance(before, CategoryCounts) and isinstance(now, CategoryCounts):
        return pictures.of_categories(before, now)
    if reading.reference_sample is None or reading.current_sample is None:
        return None
    return pictures.of_numbers(reading.reference_sample, reading.current_sample)


def _quality(
    pair: Pair, judged: Sequence[_Judged], wanted: Sequence[str] | None
) -> list[QualityFinding]:
    found = quality.volume(pair.reference, pair.current)
    found += quality.schema(pair.reference, pair.current, wanted)
    for one in judged:
        if not _runs_on(one.reading):
            found += quality.of_column(one.reading, columns=len(judged))
    found = [one for one in found if not _stands_still(pair, one)]
    found += _from_samples(judged)
    converted = {one.column for one in found if one.check == "unit_change"}
    found = [one for one in found if not (one.check in _OF_A_UNIT and one.column in converted)]
    clocks = [
        one.reading.column.name
        for one in judged
        if one.reading.kind is ColumnKind.DATETIME
        and not one.reading.column.changed
        and _runs_on(one.reading)
    ]
    for look in (rows.volume, rows.missing_hours):
        found += filter(None, (look(pair, clock) for clock in clocks[:1]))
    stuck = {finding.column for finding in found if finding.check == "stale"}
    repeating = [name for name in _repeating(judged) if name not in stuck]
    found += filter(None, (rows.stands_still(pair, name) for name in repeating))
    names = [name for name in pair.reference.types if name in pair.current.types]
    copies = rows.duplicates(pair, names, alpha=quality.level(1))
    return [*found, copies] if copies else found


def _repeating(judged: Sequence[_Judged]) -> list[str]:
    """Return the columns of numbers in which one value is much more frequent than before."""
    found = []
    for one in judged:
        before, now = one.reading.reference_sample, one.reading.current_sample
        moved = one.tested is not None and one.tested.outcome.p_value <= _MOVED
        if not moved or before is None or now is None or not len(before) or not len(now):
            continue
        values, counts = np.unique(now, return_counts=True)
        usual = float((before == values[counts.argmax()]).mean())
        if counts.max() / len(now) >= max(_REPEATED, usual + _REPEATED):
            found.append(one.reading.column.name)
    return found


def _stands_still(pair: Pair, finding: QualityFinding) -> bool:
    """Whether a column that looks stale is one whose values stand still by habit."""
    return (
        finding.check == "stale"
        and finding.column is not None
        and rows.repeats_by_habit(pair, finding.column)
    )


def _from_samples(judged: Sequence[_Judged]) -> list[QualityFinding]:
    """Look for changed units, swapped columns and lost decimals where something is different."""
    samples = {
        one.reading.column.name: (
            _finite(one.reading.reference_sample),
            _finite(one.reading.current_sample),
        )
        for one in judged
        if one.tested is not None and one.reading.kind is ColumnKind.NUMERICAL
    }
    moved = [
        one.reading.column.name
        for one in judged
        if one.tested is not None
        and one.tested.outcome.p_value <= _MOVED
        and one.reading.column.name in samples
    ]
    found = units.swapped(
        {name: samples[name][0] for name in moved}, {name: samples[name][1] for name in moved}
    )
    found += filter(None, (units.unit_change(name, *samples[name]) for name in moved))
    found += filter(None, (units.precision_loss(name, *pair) for name, pair in samples.items()))
    return found


def _finite(values: np.ndarray | None) -> np.ndarray:
    return np.empty(0) if values is None else values[np.isfinite(values)]
