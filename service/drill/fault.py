"""The faults of a drill: what is done to a column of the copy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from monitor.profiles.connection import Source
from monitor.sql import identifier, literal, select
from watchkeeper.errors import ConflictError, NotFoundError

_KINDS = ("nulls", "scale", "constant")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault of one column.

    Parameters
    ----------
    kind
        ``nulls``: a share of the values is missing; ``scale``: numbers are multiplied;
        ``constant``: every value is the same.
    value
        The share, the factor or the value, as it was written.
    """

    kind: str
    column: str
    value: str

    def __str__(self) -> str:
        """Return the fault as it is written on the command line."""
        return f"{self.kind}:{self.column}:{self.value}"

    @property
    def number(self) -> float:
        """The share from 0 to 1, or the factor."""
        text = self.value.removesuffix("%")
        return float(text) / 100 if text != self.value else float(text)


def parse_fault(text: str) -> Fault:
    """Read ``nulls:COLUMN:30%``, ``scale:COLUMN:1000`` or ``constant:COLUMN:VALUE``.

    Raises
    ------
    ConflictError
        It is none of these.

    Examples
    --------
    >>> parse_fault("nulls:carrier:30%").number
    0.3
    >>> parse_fault("shuffle:carrier:1")
    Traceback (most recent call last):
    watchkeeper.errors.ConflictError: shuffle:carrier:1: expected nulls, scale or constant, a \
column and a value, as in nulls:COLUMN:30%
    """
    kind, _, rest = text.partition(":")
    column, _, value = rest.rpartition(":")
    if kind not in _KINDS or not column or not value:
        raise ConflictError(
            f"{text}: expected nulls, scale or constant, a column and a value, "
            "as in nulls:COLUMN:30%"
        )
    fault = Fault(kind=kind, column=column, value=value)
    if kind == "constant":
        return fault
    try:
        number = fault.number
    except ValueError:
        number = math.nan
    if kind == "nulls" and not 0 < number <= 1:
        raise ConflictError(f"{text}: expected a share of more than 0 and at most 100%")
    if not math.isfinite(number):
        raise ConflictError(f"{text}: expected a number, as in scale:{column}:1000")
    return fault


def check_columns(faults: Sequence[Fault], known: Mapping[str, bool]) -> None:
    """Make sure that every column is a feature, and a number where it is to be scaled.

    Parameters
    ----------
    known
        Whether each feature is numerical.

    Raises
    ------
    NotFoundError, ConflictError
        A column is not there, and which one is nearest; a text is to be scaled.
    """
    for fault in faults:
        if fault.column not in known:
            near = difflib.get_close_matches(fault.column, known, n=1, cutoff=0.0)
            raise NotFoundError("feature", fault.column, known=near or sorted(known))
        if fault.kind == "scale" and not known[fault.column]:
            raise ConflictError(f"{fault}: {fault.column} is not a number")


def spoil(source: Source, faults: Collection[Fault]) -> Source:
    """Return the same rows with the faults in them; the rows themselves stay as they are."""
    types = dict(source.columns)
    changed = ", ".join(
        f"{_expression(fault, types[fault.column])} AS {identifier(fault.column)}"
        for fault in faults
        if fault.column in types
    )
    if not changed:
        return source
    changes = f"* REPLACE ({changed})"
    return replace(source, sql=f"({select([changes], source.sql)})")


def _expression(fault: Fault, kind: pa.DataType) -> str:
    column = identifier(fault.column)
    return _EXPRESSIONS[fault.kind](fault, column, kind)


def _nulls(fault: Fault, column: str, _kind: pa.DataType) -> str:
    # The same rows each time: a drill that is repeated finds what it found before.
    chosen = f"hash(prediction_id) % 10000 < {round(fault.number * 10_000)}"
    return f"CASE WHEN {chosen} THEN NULL ELSE {column} END"


def _scale(fault: Fault, column: str, kind: pa.DataType) -> str:
    return f"TRY_CAST({column} * {fault.number!r} AS {_number(kind)})"


def _constant(fault: Fault, column: str, kind: pa.DataType) -> str:
    del column
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return literal(fault.value)
    return f"TRY_CAST({literal(fault.value)} AS {_number(kind)})"


def _number(kind: pa.DataType) -> str:
    return "BIGINT" if pa.types.is_integer(kind) else "DOUBLE"


_EXPRESSIONS: Mapping[str, Callable[[Fault, str, pa.DataType], str]] = {
    "nulls": _nulls,
    "scale": _scale,
    "constant": _constant,
}
