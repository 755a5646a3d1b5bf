"""What the engines that profiles are pushed down to write in ways of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import ibis
from ibis.expr import operations as ops

from monitor.profiles.functions import epoch_us

_scalar: Any = ibis.udf.scalar.builtin


def _one(value: Any) -> Any:
    """Stand for a function of one argument; the database has the body."""


def _two(part: Any, value: Any) -> Any:
    """Stand for a function of two arguments; the database has the body."""


_unix_micros = _scalar(_one, name="unix_micros", signature=(("timestamp('UTC')",), "int64"))
_date_part = _scalar(_two, name="date_part", signature=(("string", "timestamp('UTC')"), "int64"))

#: Text that DuckDB reads as a number within the range of every engine.
NUMBER = r"^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,2})?\s*$"
#: Beyond these the square of a number is infinite, or nothing.
_HUGE, _TINY = 1.3e154, 1.5e-154
_LARGEST = sys.float_info.max


def _postgres_microseconds(time: Any) -> Any:
    # The seconds are exact decimals there, with their fraction.
    return time.epoch_seconds() * 1_000_000


_MICROSECONDS: Mapping[str, Callable[[Any], Any]] = {
    "bigquery": _unix_micros,
    "duckdb": epoch_us,
    "postgres": _postgres_microseconds,
    "pyspark": _unix_micros,
    "snowflake": lambda time: _date_part("epoch_microsecond", time),
}
_EPOCH = type(epoch_us(ibis.null("timestamp('UTC')")).op())


def rewritten(query: ibis.Table, dialect: str) -> ibis.Table:
    """Return a query of profiles in functions that the engine has.

    Parameters
    ----------
    dialect
        Name of the Ibis back-end.

    Raises
    ------
    KeyError
        Nothing is known of that back-end.
    """
    microseconds = _MICROSECONDS[dialect]

    def rewrite(node: Any, changed: Mapping[str, Any] | None) -> Any:
        new = node.__recreate__(changed) if changed else node
        if isinstance(new, _EPOCH):
            return microseconds(new.args[0].to_expr()).op()
        if dialect == "pyspark" and isinstance(new, ops.IsInf):
            return _is_infinite(new.arg.to_expr()).op()
        if isinstance(new, ops.TryCast) and new.arg.dtype.is_string():
            return _number(new.arg.to_expr()).op()
        if dialect == "postgres" and isinstance(new, ops.Multiply):
            return _product(new).op()
        if dialect == "postgres" and isinstance(new, ops.Cast):
            return _cast(new).op()
        return new

    return query.op().replace(rewrite).to_expr()


def _number(text: Any) -> Any:
    readable = text.re_search(NUMBER).ifelse(text, ibis.null("string"))
    return readable.cast("float64")


def _is_infinite(value: Any) -> Any:
    # Ibis writes this for Spark as what is never true.
    return (value.abs() > _LARGEST) & ~value.isnan()


def _product(node: Any) -> Any:
    """Return a product that is infinite or zero where PostgreSQL would refuse to give one."""
    product, value = node.to_expr(), node.left.to_expr()
    if not (node.left.dtype.is_floating() and node.right.dtype.is_floating()):
        return product
    if node.left == node.right:
        size = value.abs()
        return ibis.cases((size > _HUGE, float("inf")), (size < _TINY, 0.0), else_=product)
    if isinstance(node.right, ops.Literal) and node.right.value > 1:
        huge = value.abs() > _LARGEST / node.right.value
        return huge.ifelse(float("inf"), product)
    return product


def _cast(node: Any) -> Any:
    """Return a cast of booleans, which PostgreSQL makes into nothing but small integers."""
    if node.arg.dtype.is_boolean() and node.to.is_numeric():
        return node.arg.to_expr().ifelse(1, 0).cast(node.to)
    return node.to_expr()
