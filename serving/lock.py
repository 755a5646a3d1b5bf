"""One owner per folder: a lock that the operating system gives back when its holder dies."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from watchkeeper.errors import ConflictError


class FolderLock:
    """Holds a folder for this process.

    Raises
    ------
    ConflictError
        Another process holds it; the message says which.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(directory / "owner", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            owner = os.read(self._descriptor, 200).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise ConflictError(
                f"{directory} is in use by {owner or 'another process'}; "
                "stop it, or give each process a spool of its own"
            ) from exc
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._descriptor)
