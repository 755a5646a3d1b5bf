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
