"""A log file that keeps the beginning and the end of an output of any length."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self


class BoundedLog:
    """Writes at most ``limit`` bytes and a line that says how much was left out.

    The first half is written as it comes, so that a run can be followed; of the rest the newest
    half is kept and written at the end, because that is where the traceback is.

    Parameters
    ----------
    limit
        In bytes.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._file = path.open("wb")
        self._half = limit // 2
        self._written = 0
        self._tail: deque[bytes] = deque()
        self._kept = 0
        self._left_out = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes of the output."""
        room = max(0, self._half - self._written)
        head, rest = data[:room], data[room:]
        if head:
            self._file.write(head)
            self._file.flush()
            self._written += len(head)
        if rest:
            self._tail.append(rest)
            self._kept += len(rest)
            while self._kept - len(self._tail[0]) >= self._half:
                gone = len(self._tail.popleft())
                self._kept -= gone
                self._left_out += gone

    def close(self) -> None:
        """Write the end of the output and close the file."""
        if self._file.closed:
            return
        tail = b"".join(self._tail)
        excess = max(0, len(tail) - self._half)
        if self._left_out + excess:
            self._file.write(f"\n[… {self._left_out + excess:,} bytes were left out …]\n".encode())
        self._file.write(tail[excess:])
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
