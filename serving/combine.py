"""Let calls that come at the same time share one piece of work."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Combiner(Generic[T, R]):
    """Run the items of concurrent calls together, without a timer and without a thread of its own.

    The first caller works at once. Those who come meanwhile wait, and one of them then works for
    all who wait: the busier it is, the larger the batches.

    Parameters
    ----------
    run
        Takes the items of several calls and returns one result for each, in order; an exception
        among the results is raised in the call that it belongs to. What ``run`` raises itself is
        raised in all of them.
    limit
        Most items in one run.

    Examples
    --------
    >>> Combiner(lambda items: [2 * item for item in items], limit=8).submit(21)
    42
    """

    def __init__(self, run: Callable[[list[T]], Sequence[R | Exception]], *, limit: int) -> None:
        self._run = run
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting: deque[_Call[T, R]] = deque()
        self._busy = False

    def submit(self, item: T) -> R:
        """Return the result of one item; blocks until it is there."""
        call: _Call[T, R] = _Call(item)
        with self._lock:
            self._waiting.append(call)
            leads = not self._busy
            self._busy = True
        if not leads:
            call.turn.wait()
        if not call.done:
            self._lead()
        return call.outcome()

    def _lead(self) -> None:
        # Whoever leads stands first in the queue, so its own item is always among those it runs.
        with self._lock:
            calls = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
        try:
            results = self._run([call.item for call in calls])
            for call, result in zip(calls, results, strict=True):
                call.result = result
        except BaseException as exc:
            for call in calls:
                call.error = exc
            if not isinstance(exc, Exception):
                raise
        finally:
            self._hand_over(calls)

    def _hand_over(self, calls: list[_Call[T, R]]) -> None:
        for call in calls:
            call.done = True
            call.turn.set()
        with self._lock:
            if self._waiting:
                self._waiting[0].turn.set()
            else:
                self._busy = False


class _Call(Generic[T, R]):
    """One waiting call; its turn has come when it is done, or when it is to lead."""

    __slots__ = ("done", "error", "item", "result", "turn")

    def __init__(self, item: T) -> None:
        self.item = item
        self.turn = threading.Event()
        self.done = False
        self.result: R | Exception | None = None
        self.error: BaseException | None = None

    def outcome(self) -> R:
        error = self.error or (self.result if isinstance(self.result, Exception) else None)
        if error is not None:
            raise error
        return self.result  # type: ignore[return-value]
