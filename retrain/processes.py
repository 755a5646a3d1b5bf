"""The processes of one training run: who belongs to it, what memory they hold, and their end.

Everything is read from ``/proc``; on a system without it only the process group is known, and
memory is held by the kernel's own limit alone.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_KIB = 1024


def family(pid: int) -> list[int]:
    """Return ``pid`` and all its living descendants."""
    found, waiting = [], [pid]
    while waiting:
        member = waiting.pop()
        found.append(member)
        for children in (_PROC / str(member) / "task").glob("*/children"):
            waiting.extend(int(child) for child in _text(children).split())
    return found


def memory(pids: list[int]) -> int:
    """Return the resident memory of some processes in bytes; shared pages count once for each."""
    return sum(_field(_PROC / str(pid) / "status", "VmRSS:") for pid in pids)


def own_memory(pids: list[int]) -> int:
    """Return the memory of some processes in bytes, shared pages divided between the sharers.

    Dearer to compute than `memory`, but fair to a parent with forked children.
    """
    return sum(_field(_PROC / str(pid) / "smaps_rollup", "Pss:") for pid in pids)


def marked(variable: str, value: str) -> list[int]:
    """Return the processes that were started with ``variable=value`` in their environment.

    A process that has left its group and its parent still carries its environment.
    """
    mark = f"{variable}={value}".encode()
    return [
        pid for pid in _all() if pid != os.getpid() and mark in _bytes(pid, "environ").split(b"\0")
    ]


def signal_group(group: int, number: signal.Signals) -> None:
    """Signal every process of a group; a group that is gone is no error."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def kill(pids: list[int]) -> None:
    """End processes at once; those that are gone are no error."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _all() -> Iterator[int]:
    for entry in _PROC.glob("[0-9]*"):
        yield int(entry.name)


def _field(path: Path, name: str) -> int:
    for line in _text(path).splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * _KIB
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _bytes(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
