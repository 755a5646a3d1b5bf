"""SQL that reads columns of any table as the columns of the prediction log."""

from __future__ import annotations

from datetime import datetime

from monitor.comparison.columns import Family, as_number, family
from monitor.profiles.connection import instant
from monitor.sql import identifier, literal
from watchkeeper.schema import ColumnKind

#: The value of a class as a settings file writes it.
Class = str | int | bool

_POSITIVE = ("1", "true")
_NEGATIVE = ("0", "false")
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
#: Outside of these years a time is a slip of the pen, and no calendar of ours can hold it.
EARLIEST, LATEST = 1900, 2261
#: What makes up the types that a feature can have.
_TYPES = {
    ColumnKind.NUMERICAL: "DOUBLE",
    ColumnKind.DATETIME: "TIMESTAMPTZ",
    ColumnKind.CATEGORICAL: "VARCHAR",
    ColumnKind.TEXT: "VARCHAR",
}


def moment(name: str, type_name: str) -> str:
    """Return SQL for the instant in a column; naive is UTC, what is none is null."""
    column = identifier(name)
    kind = family(type_name)
    if kind is Family.STRING:
        return f"TRY_CAST({column} AS TIMESTAMPTZ)"
    if kind is not Family.DATETIME:
        return "CAST(NULL AS TIMESTAMPTZ)"
    if type_name == "TIMESTAMP WITH TIME ZONE":
        return column
    return f"CAST(CAST({column} AS TIMESTAMP) AS TIMESTAMPTZ)"


def is_no_moment(name: str, type_name: str) -> str:
    """Return SQL that is true where a column holds no instant that can be placed."""
    value = moment(name, type_name)
    low, high = f"TIMESTAMPTZ '{EARLIEST}-01-01'", f"TIMESTAMPTZ '{LATEST + 1}-01-01'"
    return f"({value} IS NULL OR NOT ({value} >= {low} AND {value} < {high}))"


def within(name: str, type_name: str, start: datetime | None, end: datetime | None) -> str:
    """Return the condition that a column of times lies in ``[start, end)``.

    Naive columns are compared as they are, so that whole blocks of a file can be passed over.
    """
    plain = type_name in {"TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S", "DATE"}
    value = identifier(name) if plain else moment(name, type_name)

    def written(bound: datetime) -> str:
        text = bound.replace(tzinfo=None).isoformat(sep=" ")
        return f"TIMESTAMP '{text}'" if plain else instant(bound)

    parts = []
    if start is not None:
        parts.append(f"{value} >= {written(start)}")
    if end is not None:
        parts.append(f"{value} < {written(end)}")
    return " AND ".join(parts) or "true"


def present(name: str, type_name: str) -> str:
    """Return a column with NaN as null."""
    column = identifier(name)
    return f"NULLIF({column}, CAST('NaN' AS {type_name}))" if type_name in _FLOATS else column


def class_text(name: str, type_name: str) -> str:
    """Return SQL for a class as text: 1, 1.0 and '1' are the same class."""
    value = present(name, type_name)
    if family(type_name) is not Family.NUMBER:
        return f"CAST({value} AS VARCHAR)"
    whole = f"TRY_CAST({value} AS BIGINT)"
    text = f"CAST({value} AS VARCHAR)"
    return f"CASE WHEN {value} = {whole} THEN CAST({whole} AS VARCHAR) ELSE {text} END"


def binary_class(name: str, type_name: str, positive: Class | None) -> str:
    """Return SQL for 1, 0 or null; null as well for what is neither class."""
    text = f"lower({class_text(name, type_name)})"
    if positive is not None:
        wanted = literal(positive_text(positive, type_name))
        return f"CASE WHEN {text} IS NULL THEN NULL WHEN {text} = {wanted} THEN 1 ELSE 0 END"
    return (
        f"CASE WHEN {text} IN {_listed(_POSITIVE)} THEN 1 "
        f"WHEN {text} IN {_listed(_NEGATIVE)} THEN 0 END"
    )


def positive_text(positive: Class, type_name: str) -> str:
    """Return the positive class as ``class_text`` writes it, in lower case.

    Examples
    --------
    >>> positive_text(True, "BIGINT"), positive_text(1, "BOOLEAN"), positive_text("Yes", "VARCHAR")
    ('1', 'true', 'yes')
    """
    text = str(positive).lower()
    for names, others in ((_POSITIVE, ("1", "true")), (_NEGATIVE, ("0", "false"))):
        if text in names:
            if family(type_name) is Family.BOOLEAN:
                return others[1]
            if family(type_name) is Family.NUMBER:
                return others[0]
    return text


def number(name: str, type_name: str) -> str:
    """Return SQL for a column as float64; null where it cannot be read as a number."""
    if family(type_name) is Family.DATETIME:
        return "CAST(NULL AS DOUBLE)"
    return as_number(name, family(type_name), Family.NUMBER)


def feature(name: str, type_name: str, kind: ColumnKind) -> str:
    """Return SQL for a feature in the type of the prediction log."""
    if kind is ColumnKind.NUMERICAL:
        return number(name, type_name)
    if kind is ColumnKind.DATETIME:
        return moment(name, type_name)
    return class_text(name, type_name)


def empty(kind: ColumnKind) -> str:
    """Return SQL for a feature that a table does not have."""
    return f"CAST(NULL AS {_TYPES[kind]})"


def _listed(texts: tuple[str, ...]) -> str:
    return f"({', '.join(map(literal, texts))})"
