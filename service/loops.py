"""Loops: the threads that keep doing one small thing until they are told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

#: After an error a loop waits this much longer each time, so that a broken part does not spin.
_LONGEST_PAUSE = 60.0


class Loop:
    """Call ``action`` again and again in a thread of its own.

    An action returns how much it did: after some work it is called again at once, after none it
    rests ``every`` seconds or until it is woken. An error is logged and the action tried again
    later; every action that is looped can be killed at any line and rerun.
    """

    def __init__(self, name: str, action: Callable[[], int], *, every: float) -> None:
        self.name = name
        self.failures = 0
        self.failures_in_all = 0
        self._ended = time.monotonic()
        self._began: float | None = None
        self._action = action
        self._every = every
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def silent_for(self) -> float:
        """Seconds since an action last ended well, or since the loop was made."""
        return time.monotonic() - self._ended

    @property
    def working_for(self) -> float:
        """Seconds that the present action has taken; 0 at rest."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """End the present rest."""
        self._wake.set()

    def ask_to_stop(self) -> None:
        """Let the present action end and then stop; returns at once."""
        self._stopping = True
        self._wake.set()

    def join(self, timeout: float) -> bool:
        """Wait until the thread has ended; False when it has not within ``timeout`` seconds."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping:
            pause = self._once()
            if pause > 0:
                self._wake.wait(pause)
                self._wake.clear()

    def _once(self) -> float:
        self._began = time.monotonic()
        try:
            done = self._action()
        except Exception:
            self.failures += 1
            self.failures_in_all += 1
            log.exception("loop_failed", loop=self.name, failures=self.failures)
            return min(self._every * 2.0**self.failures, _LONGEST_PAUSE)
        finally:
            self._began = None
        self.failures = 0
        self._ended = time.monotonic()
        return 0.0 if done else self._every
