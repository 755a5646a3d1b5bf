"""The folder that one running service keeps its state in, and the lock that keeps others out."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from watchkeeper.errors import ConfigurationError, ConflictError


class HomeLock:
    """Holds a home for this process, as a context manager.

    The operating system gives the lock back when the process ends, however it ends.

    Parameters
    ----------
    home
        The folder; it is made when it is missing.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file = home / "state" / "lock"
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises
        ------
        ConflictError
            Another process holds the home; the message names it.
        ConfigurationError
            The home cannot be written to.
        """
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as exc:
            raise ConfigurationError(
                f"cannot keep state here ({exc.strerror}); expected a folder open for writing",
                path=self._home,
            ) from exc
        try:
            self._lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            # The file stays: deleting it would let a third process lock a new file of its name.
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            raise ConflictError(
                f"{self._home}: in use by {f'process {pid}' if pid else 'another process'}; "
                "stop that one, or choose another home"
            ) from exc
        except OSError as exc:
            raise ConfigurationError(f"cannot be locked: {exc.strerror}", path=self._home) from exc
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
