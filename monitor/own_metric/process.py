"""The parent of the process that runs the owner's function: its folder, its limits, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from monitor.own_metric.model import PROBLEM, ROWS, VALUES, Order
from watchkeeper.errors import UsersCodeError
from watchkeeper.metric_function import MetricFunction
from watchkeeper.users_code import environment

#: Seconds that a function has for all rows of one order.
TIMEOUT = 600.0
#: Bytes that its process may hold.
MEMORY = 2 << 30
_SCRIPT = "watchkeeper-metric"


def row_values(
    function: MetricFunction,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    *,
    timeout: float = TIMEOUT,
) -> pa.Table:
    """Run the owner's function over rows, in a process of its own that sees no secret.

    Parameters
    ----------
    batches
        Rows with a label; the function is called once for each batch.
    timeout
        Seconds.

    Returns
    -------
    pyarrow.Table
        ``value`` and ``weight``, a row for every row; NaN where the function gives none.

    Raises
    ------
    UsersCodeError
        The function is not there, takes too long, raises, or gives something else.
    """
    with tempfile.TemporaryDirectory(prefix="watchkeeper-metric-") as place:
        folder = Path(place)
        Order(function=function, memory=MEMORY).save(folder)
        rows = 0
        with pa.OSFile(str(folder / ROWS), "wb") as sink, pa.ipc.new_stream(sink, schema) as out:
            for batch in batches:
                out.write_batch(batch)
                rows += batch.num_rows
        _run(function, folder, timeout)
        return _answer(function, folder, rows)


def _answer(function: MetricFunction, folder: Path, rows: int) -> pa.Table:
    # ``os._exit(0)`` in the function ends its process in the middle, with a status of success.
    early = UsersCodeError(f"{function.metric}: its process ended before it had answered")
    try:
        with pa.OSFile(str(folder / VALUES)) as source, pa.ipc.open_stream(source) as found:
            given = found.read_all()
    except (FileNotFoundError, pa.ArrowInvalid):
        raise early from None
    if given.num_rows != rows:
        raise early
    return given


def _run(function: MetricFunction, folder: Path, timeout: float) -> None:
    process = subprocess.Popen(
        [_script(), str(folder)],
        cwd=function.home,
        env=environment(os.environ),
        stdin=subprocess.DEVNULL,
        # What it prints may hold values of rows.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise UsersCodeError(f"{function.metric}: took longer than {timeout:g} s; ended") from None
    finally:
        _end(process)
    problem = folder / PROBLEM
    if problem.is_file():
        raise UsersCodeError(f"{function.metric}: {problem.read_text(encoding='utf-8')}")
    if code != 0:
        raise UsersCodeError(f"{function.metric}: its process ended with status {code}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _script() -> Path:
    place = Path(sys.executable).with_name(_SCRIPT)
    if not place.is_file():
        raise UsersCodeError(f"expected {place} beside the interpreter; install again")
    return place
