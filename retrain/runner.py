"""The parent of a training process: its limits, its log, its environment, and its certain end."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from retrain import processes
from retrain.log import BoundedLog
from retrain.outcome import OUTCOME_FILE, SAVED, read_outcome
from watchkeeper.errors import TrainingError
from watchkeeper.training import ARTIFACT_FOLDER, RUN_VARIABLE
from watchkeeper.users_code import environment

LOG_FILE = "training.log"
_SCRIPT = "watchkeeper-train"
_POLL = 0.05
_MEMORY_POLL = 0.1
_CHUNK = 1 << 16
_LAST_WORDS = 1.0
_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a training process may use.

    Parameters
    ----------
    timeout
        Seconds of wall time.
    memory
        Bytes that it and all its descendants may hold together.
    log
        Bytes of output that are kept.
    grace
        Seconds between the request to end and the end.
    heartbeat
        Seconds between two calls of ``alive``.
    """

    timeout: float
    memory: int
    log: int = 4 * _MIB
    grace: float = 2.0
    heartbeat: float = 0.5


def train(
    folder: Path,
    *,
    home: Path,
    limits: Limits,
    alive: Callable[[], None],
    environ: Mapping[str, str] | None = None,
) -> Path:
    """Run the training that ``folder`` holds and return the folder of the saved artifact.

    The process has a session of its own; when it ends, in whatever way, every process that it
    started is ended too.

    Parameters
    ----------
    folder
        With ``context.json`` and the training rows.
    home
        The project's folder: where the command is looked for and what it is started in.
    alive
        Called every half second; what it raises ends the process and is passed on.

    Raises
    ------
    TrainingError
        ``raised``, ``timeout``, ``memory``, ``no_artifact``, ``not_a_model`` or ``refused``; the
        traceback is in the log.
    """
    mark = str(folder)
    # What an earlier attempt of a killed worker left behind would write into the same folder.
    _end_strays(mark)
    (folder / OUTCOME_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / ARTIFACT_FOLDER, ignore_errors=True)
    process = subprocess.Popen(
        [_script(), folder],
        cwd=home,
        env=environment(os.environ if environ is None else environ) | {RUN_VARIABLE: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        with BoundedLog(folder / LOG_FILE, limits.log) as log:
            _Watch(process, log, limits, alive).until_the_end()
    finally:
        _end(process, mark)
    return _artifact(folder, process.returncode)


class _Watch:
    """One running process, its output, and the clocks that it is held to."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        log: BoundedLog,
        limits: Limits,
        alive: Callable[[], None],
    ) -> None:
        self._process = process
        self._log = log
        self._limits = limits
        self._alive = alive
        self._started = time.monotonic()
        self._next_memory = self._started
        self._next_heartbeat = self._started + limits.heartbeat

    def until_the_end(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - asked for with PIPE
        with self._process.stdout as output, selectors.DefaultSelector() as selector:
            os.set_blocking(output.fileno(), False)
            selector.register(output, selectors.EVENT_READ)
            while self._process.poll() is None:
                self._read(selector, _POLL)
                self._check()
            # What it started may hold the output open for ever; its last words come at once.
            last = time.monotonic() + _LAST_WORDS
            while self._read(selector, 0) and time.monotonic() < last:
                continue

    def _read(self, selector: selectors.BaseSelector, wait: float) -> bool:
        if not selector.get_map():
            time.sleep(wait)
            return False
        for key, _ in selector.select(wait):
            data = os.read(key.fd, _CHUNK)
            self._log.write(data)
            if not data:
                selector.unregister(key.fileobj)
            return bool(data)
        return False

    def _check(self) -> None:
        now = time.monotonic()
        if now - self._started > self._limits.timeout:
            self._ask_to_end()
            raise TrainingError(
                "timeout", f"the training took longer than {self._limits.timeout:g} s; ended"
            )
        if now >= self._next_memory:
            self._check_memory()
            # A large family takes long to measure; at most a tenth of the time goes into it.
            self._next_memory = now + max(_MEMORY_POLL, 10 * (time.monotonic() - now))
        if now >= self._next_heartbeat:
            self._alive()
            self._next_heartbeat = now + self._limits.heartbeat

    def _check_memory(self) -> None:
        family = processes.family(self._process.pid)
        used = processes.memory(family)
        if used > self._limits.memory and len(family) > 1:
            used = processes.own_memory(family)
        if used > self._limits.memory:
            raise TrainingError(
                "memory",
                f"the training used {used // _MIB:,} MiB, allowed are "
                f"{self._limits.memory // _MIB:,} MiB; ended",
            )

    def _ask_to_end(self) -> None:
        processes.signal_group(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(self._limits.grace)
        except subprocess.TimeoutExpired:
            return


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    strays = processes.family(process.pid)[1:] if process.poll() is None else []
    processes.signal_group(process.pid, signal.SIGKILL)
    processes.kill(strays)
    process.wait()
    _end_strays(mark)


def _end_strays(mark: str) -> None:
    # A process that forks while it is being looked for is found in the next round.
    last = time.monotonic() + _LAST_WORDS
    while (strays := processes.marked(RUN_VARIABLE, mark)) and time.monotonic() < last:
        processes.kill(strays)
        time.sleep(_POLL)


def _artifact(folder: Path, code: int) -> Path:
    outcome = read_outcome(folder)
    if outcome is not None and outcome.status == SAVED:
        return folder / ARTIFACT_FOLDER
    if outcome is not None:
        raise TrainingError(outcome.status, outcome.detail)
    if code == 0:
        raise TrainingError(
            "no_artifact", "the training code ended the process with status 0 without a model"
        )
    if code < 0:
        raise TrainingError(
            "raised", f"the training process was ended by {signal.Signals(-code).name}"
        )
    raise TrainingError("raised", f"the training process ended with status {code}")


def _script() -> Path:
    place = Path(sys.executable).with_name(_SCRIPT)
    if not place.is_file():
        raise TrainingError("raised", f"expected {place} beside the interpreter; install again")
    return place
