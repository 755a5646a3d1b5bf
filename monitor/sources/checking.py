"""Whether the values of a table can be what its settings say, by one scan."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.comparison.columns import Family, family
from monitor.sources.expressions import (
    EARLIEST,
    LATEST,
    binary_class,
    class_text,
    is_no_moment,
    moment,
    number,
    positive_text,
    present,
)
from monitor.sources.schema import require_columns
from monitor.sql import identifier, literal, select
from monitor.tables import Table, Tables
from watchkeeper.errors import TableError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fault:
    """What may be wrong with a value: where, when that is so, and what was expected."""

    column: str
    condition: str
    expected: str


def check_table(tables: Tables, table: Table, settings: ModelSettings) -> None:
    """Refuse a table whose times, predictions or labels cannot be used.

    Raises
    ------
    TableError
        It names the column, the first such row, counted from 1, and what was expected.
    """
    require_columns(table, settings)
    faults = _faults(table, settings)
    labels = _label_text(table, settings)
    counted = [f"count_if({fault.condition})" for fault in faults]
    parts = [*counted, *([f"count(DISTINCT {labels})"] if labels else [])]
    found = tables.query(table, select(parts, table.source))[0]
    for fault, rows in zip(faults, found, strict=False):
        if rows:
            raise _error(tables, table, fault, int(rows))
    if labels:
        _check_classes(tables, table, settings, labels, int(found[-1]))


def _faults(table: Table, settings: ModelSettings) -> list[_Fault]:
    time = settings.timestamp
    faults = [
        _Fault(
            column=time,
            condition=is_no_moment(time, table.types[time]),
            expected=f"expected a time between {EARLIEST} and {LATEST}",
        )
    ]
    known = settings.label.available_at
    if known is not None:
        column = identifier(known)
        faults.append(
            _Fault(
                column=known,
                condition=f"({column} IS NOT NULL AND {moment(known, table.types[known])} IS NULL)",
                expected="expected a time, or null",
            )
        )
    of_task = {
        Task.BINARY: _binary_faults,
        Task.MULTICLASS: _multiclass_faults,
        Task.REGRESSION: _regression_faults,
    }
    return faults + of_task[settings.task](table, settings)


def _binary_faults(table: Table, settings: ModelSettings) -> list[_Fault]:
    faults = [_score_fault(table, settings.prediction.score or "")]
    if settings.label.positive is None:
        for name in (settings.label.column, settings.prediction.label):
            if name is not None:
                value = present(name, table.types[name])
                coded = binary_class(name, table.types[name], None)
                faults.append(
                    _Fault(
                        column=name,
                        condition=f"({value} IS NOT NULL AND ({coded}) IS NULL)",
                        expected="expected 0 or 1, false or true; `label.positive` names another "
                        "positive class",
                    )
                )
    return faults


def _multiclass_faults(table: Table, settings: ModelSettings) -> list[_Fault]:
    return [_score_fault(table, name) for name in (settings.prediction.scores or {}).values()]


def _regression_faults(table: Table, settings: ModelSettings) -> list[_Fault]:
    faults = []
    for name in (settings.label.column, settings.prediction.value or ""):
        value = number(name, table.types[name])
        unread = f"({present(name, table.types[name])} IS NOT NULL AND {value} IS NULL)"
        infinite = f"COALESCE(isinf({value}), false)"
        label = name == settings.label.column
        faults.append(
            _Fault(
                column=name,
                condition=f"({unread} OR {infinite})" if label else unread,
                expected="expected a finite number" if label else "expected a number",
            )
        )
    return faults


def _score_fault(table: Table, name: str) -> _Fault:
    value = number(name, table.types[name])
    # NaN is greater than everything, and counted as a missing value elsewhere.
    outside = f"(NOT isnan({value}) AND NOT ({value} BETWEEN 0 AND 1))"
    unread = f"({present(name, table.types[name])} IS NOT NULL AND {value} IS NULL)"
    return _Fault(
        column=name,
        condition=f"(COALESCE({outside}, false) OR {unread})",
        expected="expected a probability from 0 to 1",
    )


def _label_text(table: Table, settings: ModelSettings) -> str | None:
    """Return SQL for the labels where any text may be the other class."""
    if settings.task is not Task.BINARY or settings.label.positive is None:
        return None
    name = settings.label.column
    return f"lower({class_text(name, table.types[name])})"


def _check_classes(
    tables: Tables, table: Table, settings: ModelSettings, labels: str, distinct: int
) -> None:
    name = settings.label.column
    place = f"column {name}"
    if distinct > 2:
        problem = f"{distinct} different labels; a binary model has two classes"
        raise TableError(problem, table=table.name, place=place)
    wanted = literal(positive_text(settings.label.positive or "", table.types[name]))
    query = select([f"count_if({labels} = {wanted})"], table.source)
    if distinct == 2 and not tables.query(table, query)[0][0]:
        raise TableError(
            "no label is the positive one of the settings", table=table.name, place=place
        )


def _error(tables: Tables, table: Table, fault: _Fault, rows: int) -> TableError:
    column = identifier(fault.column)
    numbered = select(
        ["row_number() OVER () AS n", f"{column} IS NULL AS absent", f"({fault.condition}) AS bad"],
        table.source,
    )
    query = select(["n", "absent"], f"({numbered})", "WHERE bad ORDER BY n LIMIT 1")
    row, absent = tables.query(table, query)[0]
    got = ", got null" if absent else ""
    if not absent and family(table.types[fault.column]) in (Family.BOOLEAN, Family.DATETIME):
        got = f", got {table.types[fault.column]}"
    more = f" (and {rows - 1:,} more rows)" if rows > 1 else ""
    return TableError(
        f"{fault.expected}{got}{more}",
        table=table.name,
        place=f"column {fault.column}: row {row}",
    )
