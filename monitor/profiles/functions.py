"""DuckDB's own functions that Ibis does not know by name."""

from __future__ import annotations

from typing import Any

import ibis

_agg: Any = ibis.udf.agg.builtin
_scalar: Any = ibis.udf.scalar.builtin


def _two(values: Any, bounds: Any) -> Any:
    """Stand for a function of two arguments; the database has the body."""


def _one(value: Any) -> Any:
    """Stand for a function of one argument; the database has the body."""


#: Counts of values in ``(bounds[i-1], bounds[i]]``, by upper bound; above the last under infinity.
histogram = _agg(
    _two, name="histogram", signature=(("float64", "array<float64>"), "map<float64, int64>")
)
#: Counts of the listed values, and of all others under the empty string.
histogram_exact = _agg(
    _two, name="histogram_exact", signature=(("string", "array<string>"), "map<string, int64>")
)
#: Counts of every value.
value_counts = _agg(_one, name="histogram", signature=(("int64",), "map<int64, int64>"))
#: Microseconds since 1970.
epoch_us = _scalar(_one, name="epoch_us", signature=(("timestamp('UTC')",), "int64"))
#: The place of a value in a list, from 1; nothing or 0 for a value that is not in it.
list_position = _scalar(
    _two, name="list_position", signature=(("array<string>", "string"), "int64")
)
#: The class of what that makes, for engines that have no such function.
PLACE = type(list_position(["a"], "a").op())
#: The nearest whole number as a float, however large; halves go either way.
nearest = _scalar(_one, name="round", signature=(("float64",), "float64"))
