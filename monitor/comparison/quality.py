"""Faults of the data itself, each held against what the reference's own rows make likely."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitor.comparison.model import QualityFinding
from monitor.comparison.ranges import out_of_range
from monitor.comparison.rare import all_in_current, more_in_current
from monitor.comparison.reading import ColumnReading
from monitor.comparison.scan import CategoryCounts, NumberCounts
from monitor.model import CheckStatus
from monitor.tables import Table
from watchkeeper.schema import ColumnKind

#: Chance of any false finding in a whole comparison, shared out over columns and checks.
_FALSE_FINDINGS = 0.01
_CHECKS = 6
#: A smaller share of rows is not worth a word; a larger one is critical.
_NULL_RISE = (0.05, 0.25)
#: Of the reference's own share: where most rows are null, their number varies by habit.
_NULL_HABIT = 0.1
_NULL_FIRST = 0.002
_UNSEEN = (0.005, 0.10)
_SHOWN = 3


Counted = NumberCounts | CategoryCounts


def level(columns: int) -> float:
    """Return the level of each single check."""
    return _FALSE_FINDINGS / (max(columns, 1) * _CHECKS)


def schema(reference: Table, current: Table, wanted: Sequence[str] | None) -> list[QualityFinding]:
    """Find columns that are gone and columns that are new."""
    kept = set(wanted) if wanted is not None else {*reference.types, *current.types}
    gone = [name for name in reference.types if name not in current.types and name in kept]
    new = [name for name in current.types if name not in reference.types and name in kept]
    return [
        *(_finding(name, "schema", CheckStatus.CRITICAL, "the column is gone") for name in gone),
        *(_finding(name, "schema", CheckStatus.WARNING, "the column is new") for name in new),
    ]


def volume(reference: Table, current: Table) -> list[QualityFinding]:
    """Find a table without rows."""
    return [
        _finding(None, "volume", CheckStatus.CRITICAL, f"the {side} table has no rows")
        for side, table in (("reference", reference), ("current", current))
        if table.rows == 0
    ]


def of_column(reading: ColumnReading, *, columns: int) -> list[QualityFinding]:
    """Run every check of a single column."""
    before, now = reading.reference, reading.current
    if before is None or now is None:
        return [type_change(reading)]
    if not (before.rows and now.rows):
        return []
    found: list[QualityFinding | None] = []
    name, alpha = reading.column.name, level(columns)
    if reading.column.changed:
        found.append(type_change(reading))
    else:
        found.append(null_surge(name, before, now, alpha=alpha))
        found.append(stale(name, before, now, alpha=alpha))
    if isinstance(before, NumberCounts) and isinstance(now, NumberCounts):
        if reading.kind is ColumnKind.NUMERICAL:
            samples = (reading.reference_sample, reading.current_sample)
            found.append(out_of_range(name, before, now, samples=samples, alpha=alpha))
    elif isinstance(before, CategoryCounts) and isinstance(now, CategoryCounts):
        found.append(unseen_category(name, before, now, alpha=alpha))
    return [finding for finding in found if finding is not None]


def type_change(reading: ColumnReading) -> QualityFinding:
    """Say that the values of a column became another sort of thing."""
    column = reading.column
    detail = f"{column.reference} ({column.reference_type}) became {column.current}"
    detail += f" ({column.current_type})"
    if isinstance(reading.current, NumberCounts) and reading.current.rows:
        readable = 1 - reading.current.missing / reading.current.rows
        detail += f"; {readable:.1%} of the rows can still be read as a {column.reference}"
    return _finding(column.name, "type_change", CheckStatus.CRITICAL, detail)


def null_surge(
    name: str, before: Counted, after: Counted, *, alpha: float
) -> QualityFinding | None:
    """Find a share of missing values that rose by more than chance and more than a little."""
    rise = after.missing / after.rows - before.missing / before.rows
    least = _NULL_RISE[0] if before.missing else _NULL_FIRST
    least += _NULL_HABIT * before.missing / before.rows
    if (
        rise < least
        or more_in_current(before.rows, after.rows, before.missing, after.missing) > alpha
    ):
        return None
    status = CheckStatus.CRITICAL if rise >= _NULL_RISE[1] else CheckStatus.WARNING
    detail = (
        f"{after.missing / after.rows:.1%} of the rows have no value, "
        f"{before.missing / before.rows:.1%} in the reference"
    )
    return _finding(name, "null_surge", status, detail)


def stale(name: str, before: Counted, after: Counted, *, alpha: float) -> QualityFinding | None:
    """Find a column that repeats one value although the reference's values vary."""
    rows = _constant(after)
    if rows is None or _constant(before) is not None:
        return None
    reference_rows = before.rows - before.missing
    others = reference_rows - _same_value(before, after)
    # Dealt out by lot, all rows with another value must have fallen to the reference.
    if others <= 0 or all_in_current(rows, reference_rows, others) > alpha:
        return None
    detail = f"all {rows:,} values are the same; the reference's vary"
    return _finding(name, "stale", CheckStatus.CRITICAL, detail)


def unseen_category(
    name: str, before: CategoryCounts, after: CategoryCounts, *, alpha: float
) -> QualityFinding | None:
    """Find categories that the reference would have held if they were not new."""
    n_reference, n_current = before.rows - before.null, after.rows - after.null
    if before.others or n_current == 0:
        return None
    unseen = {value: rows for value, rows in after.counts.items() if value not in before.counts}
    per_value = alpha / max(len(before.counts.keys() | after.counts.keys()), 1)
    new = {
        value: rows
        for value, rows in unseen.items()
        if all_in_current(n_reference, n_current, rows) <= per_value
    }
    rows = sum(new.values()) + after.others
    if rows / n_current < _UNSEEN[0]:
        return None
    status = CheckStatus.CRITICAL if rows / n_current >= _UNSEEN[1] else CheckStatus.WARNING
    detail = (
        f"{rows / n_current:.1%} of the values are not in the reference: {_listed(new, before)}"
    )
    return _finding(name, "unseen_category", status, detail)


def _listed(new: dict[str, int], before: CategoryCounts) -> str:
    """Name the most frequent new categories, and the known ones that they resemble."""
    known = {_skeleton(value): value for value in before.counts}
    words = []
    for value in sorted(new, key=lambda value: (-new[value], value))[:_SHOWN]:
        similar = known.get(_skeleton(value))
        words.append(f"{value[:40]!r}" + (f" (known: {similar[:40]!r})" if similar else ""))
    more = len(new) - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def _skeleton(value: str) -> str:
    return re.sub(r"[\W_]+", "", value.casefold())


def _constant(counts: NumberCounts | CategoryCounts) -> int | None:
    """Return the number of values when there are at least two and all are the same."""
    present = counts.rows - counts.missing
    if present < 2:
        return None
    if isinstance(counts, NumberCounts):
        return present if counts.finite == present and counts.minimum == counts.maximum else None
    return present if len(counts.counts) == 1 and not counts.others else None


def _same_value(before: Counted, after: Counted) -> int:
    """Return at most how many rows of the reference hold the value that repeats now."""
    if isinstance(before, NumberCounts) and isinstance(after, NumberCounts):
        if before.values:
            return before.values.get(after.minimum, 0)
        return int(before.counts[after.counts > 0].sum())
    if isinstance(before, CategoryCounts) and isinstance(after, CategoryCounts):
        return before.counts.get(next(iter(after.counts)), 0)
    return 0


def _finding(column: str | None, check: str, status: CheckStatus, detail: str) -> QualityFinding:
    return QualityFinding(column=column, check=check, status=status, detail=detail)
