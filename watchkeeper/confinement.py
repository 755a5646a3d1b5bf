"""Limits that a process which runs the user's code puts on itself."""

from __future__ import annotations

import ctypes
import resource
import signal
import sys

#: Address space that the libraries take besides what the data need.
_HEADROOM = 1 << 30
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def confine(memory: int) -> None:
    """Bound the memory of this process, and let it die with its parent.

    Parameters
    ----------
    memory
        Bytes.
    """
    # RLIMIT_AS would count what libraries only reserve; RLIMIT_DATA counts what can be written.
    # It is a backstop for one huge allocation: a parent may measure what is really used.
    limit = memory + _HEADROOM
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        # A killed worker takes the user's code along, and orphans stay in our family.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
