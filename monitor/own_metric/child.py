"""The process that runs the owner's function over rows, a batch at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.own_metric.model import PROBLEM, ROWS, VALUE, VALUES, WEIGHT, Order
from watchkeeper.confinement import confine
from watchkeeper.errors import UsersCodeError
from watchkeeper.metric_function import MetricFunction
from watchkeeper.users_code import load_function, users_modules, where

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

#: Rows that are asked for once more by themselves, to see that their values are their own.
_PROBED = 3
#: What these say is about code; what others say may hold values of rows, and is not repeated.
_OF_CODE = (AttributeError, ImportError, KeyError, NameError, SyntaxError, UsersCodeError)


def main() -> int:
    """Answer the order of the folder that is the first argument; 0 when it was answered."""
    folder = Path(sys.argv[1])
    order = Order.load(folder)
    confine(order.memory)
    try:
        answer(order.function, folder)
    except MemoryError:
        problem = "ran out of memory"
    except SystemExit:
        problem = "ended its process"
    except Exception as exc:  # noqa: BLE001 - the user's code may raise anything; this is its border
        problem = _told(exc, order.function.home)
    else:
        return 0
    (folder / PROBLEM).write_text(problem, encoding="utf-8")
    return 1


def answer(function: MetricFunction, folder: Path) -> None:
    """Write the value and the weight of every row that the folder holds.

    Raises
    ------
    UsersCodeError
        The function is not there, or gave something else than a value for every row.
    """
    schema = pa.schema([(VALUE, pa.float64()), (WEIGHT, pa.float64())])
    with users_modules([str(function.file.parent), str(function.home)]):
        call = load_function(function.file, function.name)
        with (
            pa.OSFile(str(folder / ROWS)) as source,
            pa.ipc.open_stream(source) as batches,
            pa.OSFile(str(folder / VALUES), "wb") as sink,
            pa.ipc.new_stream(sink, schema) as out,
        ):
            for number, batch in enumerate(batches):
                rows = batch.to_pandas()
                value, weight = values_of(call, rows)
                if number == 0:
                    _refuse_joint(call, rows, value, weight)
                out.write_batch(pa.record_batch([value, weight], schema=schema))


def values_of(call: Callable[..., Any], rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return the value and the weight of every row; NaN for a row that has none.

    Raises
    ------
    UsersCodeError
        There is another number of them, or they are no finite numbers, or a weight is below 0.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"y_true": [1.0, 2.0], "y_pred": [1.5, 2.0]})
    >>> value, weight = values_of(lambda rows: abs(rows.y_true - rows.y_pred), frame)
    >>> value.tolist(), weight.tolist()
    ([0.5, 0.0], [1.0, 1.0])
    """
    given = call(rows.copy())
    pair = given if isinstance(given, tuple) else (given, np.ones(len(rows)))
    if len(pair) != 2:
        raise UsersCodeError(f"expected values, or values and weights, got {len(pair)} things")
    value, weight = (_numbers(each, len(rows)) for each in pair)
    if (weight < 0).any():
        raise UsersCodeError("expected weights of 0 or more, got one below 0")
    unknown = np.isnan(value) | np.isnan(weight)
    value[unknown], weight[unknown] = np.nan, np.nan
    return value, weight


def _numbers(given: Any, rows: int) -> Floats:
    try:
        found = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsersCodeError(f"expected {rows} numbers, got {type(given).__name__}") from None
    if found.shape != (rows,):
        got = type(given).__name__ if found.ndim == 0 else f"the shape {found.shape}"
        raise UsersCodeError(f"expected a number for each of {rows} rows, got {got}")
    if np.isinf(found).any():
        raise UsersCodeError("expected finite numbers, got an infinite one")
    return found


def _refuse_joint(
    call: Callable[..., Any], rows: pd.DataFrame, value: Floats, weight: Floats
) -> None:
    """Refuse a function whose values depend on which rows happen to come together."""
    some = rows.iloc[:_PROBED]
    alone = [values_of(call, some.iloc[[number]]) for number in range(len(some))]
    for number, (own_value, own_weight) in enumerate(alone):
        together = np.array([value[number], weight[number]])
        apart = np.array([own_value[0], own_weight[0]])
        if not np.allclose(together, apart, rtol=1e-6, equal_nan=True):
            raise UsersCodeError(
                "expected the value of a row to depend on that row alone; by itself it has another"
            )


def _told(exc: Exception, home: Path) -> str:
    said = where(exc, home)
    if isinstance(exc, _OF_CODE):
        return said
    place, _, _ = said.partition(f"{type(exc).__name__}: ")
    return f"{place}{type(exc).__name__} (its message may hold values of rows, and is left out)"
