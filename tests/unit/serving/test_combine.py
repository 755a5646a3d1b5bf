from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.combine import Combiner


def test_callers_who_wait_share_one_run_each_with_a_result_of_its_own() -> None:
    runs: list[list[int]] = []
    first_runs, go_on = threading.Event(), threading.Event()

    def run(items: list[int]) -> list[int]:
        runs.append(list(items))
        if len(runs) == 1:
            first_runs.set()
            go_on.wait(5)
        return [10 * item for item in items]

    combiner: Combiner[int, int] = Combiner(run, limit=8)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(combiner.submit, 0)
        first_runs.wait(5)
        others = [pool.submit(combiner.submit, i) for i in range(1, 11)]
        while len(combiner._waiting) < 10:
            pass
        go_on.set()
        assert first.result(5) == 0
        assert [other.result(5) for other in others] == [10 * i for i in range(1, 11)]

    assert [len(run) for run in runs] == [1, 8, 2]


def test_a_run_that_fails_fails_its_own_callers_and_the_next_one_works() -> None:
    def run(items: list[int]) -> list[int]:
        if -1 in items:
            raise ArithmeticError("broken")
        return items

    combiner: Combiner[int, int] = Combiner(run, limit=1)

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(combiner.submit, item) for item in [1, -1, 2, -1, 3]]
        outcomes = [f.exception(5) or f.result(5) for f in futures]

    assert [o for o in outcomes if isinstance(o, int)] == [1, 2, 3]
    assert sum(isinstance(o, ArithmeticError) for o in outcomes) == 2


def test_one_bad_item_fails_alone() -> None:
    combiner: Combiner[int, int] = Combiner(
        lambda items: [ValueError("odd") if item % 2 else item for item in items], limit=8
    )

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(combiner.submit, item) for item in range(40)]

    assert [f.result() for f in futures[::2]] == list(range(0, 40, 2))
    assert all(isinstance(f.exception(), ValueError) for f in futures[1::2])


def test_a_run_that_forgets_a_result_is_an_error_and_not_a_hang() -> None:
    combiner: Combiner[int, int] = Combiner(lambda _: [], limit=8)

    with pytest.raises(ValueError, match="zip"):
        combiner.submit(1)
    with pytest.raises(ValueError, match="zip"):
        combiner.submit(2)


def test_many_threads_lose_nothing() -> None:
    combiner: Combiner[int, int] = Combiner(lambda items: items, limit=4)

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(combiner.submit, range(5000))) == list(range(5000))
