"""Which columns two tables share, of what kind they are, and how to read them alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from monitor.sql import identifier
from monitor.tables import Table
from watchkeeper.errors import TableError

_NUMBERS = re.compile(
    r"^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|UINTEGER|BIGNUM|FLOAT|DOUBLE|DECIMAL\(.*\))$"
)


class Family(StrEnum):
    """Types that hold the same sort of value; a change between them is a change of type."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    STRING = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedColumn:
    """A column of both tables.

    Parameters
    ----------
    reference, current
        Families of its types.
    """

    name: str
    reference: Family
    current: Family
    reference_type: str
    current_type: str

    @property
    def changed(self) -> bool:
        """Whether its type changed."""
        return self.reference is not self.current

    @property
    def readable(self) -> bool:
        """Whether current values can be read as values of the reference's family."""
        return (self.current, self.reference) not in {
            (Family.DATETIME, Family.NUMBER),
            (Family.NUMBER, Family.DATETIME),
            (Family.BOOLEAN, Family.DATETIME),
            (Family.DATETIME, Family.BOOLEAN),
            (Family.NUMBER, Family.STRING),
            (Family.DATETIME, Family.STRING),
        }


def family(type_name: str) -> Family:
    """Return the family of a DuckDB type.

    Examples
    --------
    >>> str(family("DECIMAL(10,2)")), str(family("TIMESTAMP_NS")), str(family("BIGINT[]"))
    ('number', 'datetime', 'text')
    """
    if _NUMBERS.match(type_name):
        return Family.NUMBER
    if type_name == "BOOLEAN":
        return Family.BOOLEAN
    if type_name == "DATE" or re.match(r"^TIMESTAMP[A-Z_ ]*$", type_name):
        return Family.DATETIME
    return Family.STRING


def shared_columns(
    reference: Table, current: Table, wanted: tuple[str, ...] | None = None
) -> list[SharedColumn]:
    """Return the columns of both tables, in the reference's order.

    Parameters
    ----------
    wanted
        Names to keep; None for all.

    Raises
    ------
    TableError
        A wanted column is not in the reference, or the tables have no column in common.
    """
    for name in wanted or ():
        if name not in reference.types:
            near = get_close_matches(name, reference.types, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TableError(f"no column {name!r}{hint}", table=reference.name)
    names = [name for name in reference.types if wanted is None or name in wanted]
    shared = [name for name in names if name in current.types]
    if not shared:
        raise TableError(f"no column in common with {reference.name}", table=current.name)
    return [
        SharedColumn(
            name=name,
            reference=family(reference.types[name]),
            current=family(current.types[name]),
            reference_type=reference.types[name],
            current_type=current.types[name],
        )
        for name in shared
    ]


def raw_present(shared: Sequence[SharedColumn]) -> list[str]:
    """Return SQL that counts the values of columns that are not null, before any conversion."""
    return [f"count({identifier(column.name)})" for column in shared]


def as_number(name: str, from_family: Family, to_family: Family) -> str:
    """Return SQL that reads a column as the float64 of a number or datetime column."""
    column = identifier(name)
    if to_family is Family.DATETIME:
        if from_family is Family.STRING:
            column = f"TRY_CAST({column} AS TIMESTAMPTZ)"
        return f"CAST(epoch_us({column}) AS DOUBLE)"
    if from_family is Family.STRING:
        # The decimal comma is the usual reason why numbers arrive as text.
        point = f"replace({column}, ',', '.')"
        return f"COALESCE(TRY_CAST({column} AS DOUBLE), TRY_CAST({point} AS DOUBLE))"
    return f"CAST({column} AS DOUBLE)"


def as_length(name: str) -> str:
    """Return SQL for the length of a text in code points."""
    return f"CAST(length(CAST({identifier(name)} AS VARCHAR)) AS DOUBLE)"


def as_category(name: str, from_family: Family, to_family: Family) -> str:
    """Return SQL that reads a column as the string of a category."""
    column = identifier(name)
    if to_family is Family.BOOLEAN and from_family is not Family.BOOLEAN:
        return f"CAST(TRY_CAST({column} AS BOOLEAN) AS VARCHAR)"
    return f"CAST({column} AS VARCHAR)"
