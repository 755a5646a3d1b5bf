"""A loop goes on after an error, rests when idle, and stops when asked."""

from __future__ import annotations

import threading

from service.loops import Loop


def test_it_runs_until_it_is_asked_to_stop() -> None:
    ran = threading.Event()

    def action() -> int:
        ran.set()
        return 0

    loop = Loop("test", action, every=60)
    loop.start()

    assert ran.wait(5)
    loop.ask_to_stop()
    assert loop.join(5)


def test_it_tries_again_after_an_error() -> None:
    recovered = threading.Event()
    calls: list[int] = []

    def action() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("broken once")
        recovered.set()
        return 0

    loop = Loop("test", action, every=0.01)
    loop.start()

    assert recovered.wait(5)
    loop.ask_to_stop()
    assert loop.join(5)
    assert loop.failures == 0


def test_work_is_followed_by_more_work_without_a_rest() -> None:
    left = [3]
    idle = threading.Event()

    def action() -> int:
        if left[0] == 0:
            idle.set()
            return 0
        left[0] -= 1
        return 1

    loop = Loop("test", action, every=60)
    loop.start()

    assert idle.wait(5)
    loop.ask_to_stop()
    assert loop.join(5)


def test_wake_ends_a_rest() -> None:
    calls = threading.Semaphore(0)

    def action() -> int:
        calls.release()
        return 0

    loop = Loop("test", action, every=60)
    loop.start()

    assert calls.acquire(timeout=5)
    loop.wake()
    assert calls.acquire(timeout=5)
    loop.ask_to_stop()
    assert loop.join(5)


def test_a_loop_that_was_never_started_can_be_joined() -> None:
    assert Loop("test", lambda: 0, every=1).join(0.1)
