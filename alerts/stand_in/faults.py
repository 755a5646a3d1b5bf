"""Faults that the stand-in commits on request: which call, before or after it took effect, how."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What happens instead of a proper answer.

    ``DROP``: the connection closes without a word. ``RESET``: it breaks. ``HANG``: nothing comes,
    then it closes. ``STATUS``: another HTTP status, with an HTML page. ``HTML``, ``EMPTY``: status
    200 with the wrong body. ``TRUNCATED``: the answer stops in the middle. ``THROTTLE``: status
    429. ``REFUSE``: a proper refusal, ``ok: false``.
    """

    DROP = "drop"
    RESET = "reset"
    HANG = "hang"
    STATUS = "status"
    HTML = "html"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    THROTTLE = "throttle"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault of one call.

    Parameters
    ----------
    after
        Whether the call takes effect before it goes wrong.
    status
        HTTP status for ``STATUS``.
    retry_after
        Text of the header for ``THROTTLE``; None leaves it out.
    error
        Error code for ``REFUSE``.
    seconds
        How long ``HANG`` lasts.
    """

    kind: FaultKind
    after: bool = False
    status: int = 500
    retry_after: str | None = "1"
    error: str = "internal_error"
    seconds: float = 1.0


#: From a method and the number of its call, counted from 0, to a fault or none.
Choice = Callable[[str, int], Fault | None]


class FaultPlan:
    """The faults that are to come, per method and in order; or a choice made at each call."""

    def __init__(self) -> None:
        self._planned: dict[str, list[Fault | None]] = {}
        self._calls: dict[str, int] = {}
        self._choice: Choice | None = None
        self._lock = threading.Lock()

    def add(self, method: str, *faults: Fault | None) -> None:
        """Let the next calls of a method go wrong, one fault each; None lets one go well."""
        with self._lock:
            self._planned.setdefault(method, []).extend(faults)

    def choose(self, choice: Choice | None) -> None:
        """Ask ``choice`` at each call that has no planned fault."""
        with self._lock:
            self._choice = choice

    def next(self, method: str) -> Fault | None:
        """Return the fault of this call and count it."""
        with self._lock:
            number = self._calls.get(method, 0)
            self._calls[method] = number + 1
            planned = self._planned.get(method)
            if planned:
                return planned.pop(0)
            return None if self._choice is None else self._choice(method, number)
