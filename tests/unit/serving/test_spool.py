from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving.spool import Payload, Spool, SpoolBatch
from watchkeeper.errors import CapacityError, ConflictError, DatabaseError


def opened(directory: Path, max_rows: int = 1000, max_bytes: int = 100_000) -> Spool:
    return Spool(directory, max_rows=max_rows, max_bytes=max_bytes)


def payload(text: str, rows: int = 1) -> Payload:
    return Payload(rows=rows, content=text.encode())


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = opened(tmp_path)
    yield spool
    spool.close()


def bound(spool: Spool, max_rows: int = 3) -> list[SpoolBatch]:
    spool.bind(max_rows)
    return spool.batches()


def held(spool: Spool) -> list[list[str]]:
    return [[p.content.decode() for p in spool.payloads(b)] for b in bound(spool)]


def test_what_was_appended_comes_back_by_table_and_in_order(spool: Spool) -> None:
    spool.append("labels", "flights", 0, payload("l1"))
    spool.append("predictions", "flights", 1, payload("p1"))
    spool.append("predictions", "hotels", 1, payload("h1"))
    spool.append("predictions", "flights", 1, payload("p2"))

    assert held(spool) == [["p1", "p2"], ["h1"], ["l1"]]
    assert [(b.kind, b.model, b.generation) for b in spool.batches()] == [
        ("predictions", "flights", 1),
        ("predictions", "hotels", 1),
        ("labels", "flights", 0),
    ]


def test_batches_hold_a_bounded_number_of_rows_but_at_least_one_request(spool: Spool) -> None:
    for text, rows in [("a", 2), ("b", 2), ("c", 9), ("d", 1), ("e", 1)]:
        spool.append("predictions", "flights", 1, payload(text, rows))

    assert held(spool) == [["a"], ["b"], ["c"], ["d", "e"]]


def test_a_batch_that_was_bound_never_changes_and_sequences_only_grow(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.append("predictions", "flights", 1, payload("a"))
    before = bound(first)
    writer = first.writer
    first.close()

    again = opened(tmp_path)
    again.append("predictions", "flights", 1, payload("b"))
    batches = bound(again)
    assert again.writer == writer
    assert batches[0] == before[0]
    assert [p.content for p in again.payloads(batches[0])] == [b"a"]
    assert batches[1].sequence > batches[0].sequence

    for batch in batches:
        again.acknowledge(batch)
    again.append("predictions", "flights", 1, payload("c"))
    assert bound(again)[0].sequence > batches[1].sequence
    again.close()


def test_a_full_spool_refuses_and_has_room_again_after_shipping(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_rows=3)
    spool.append("predictions", "flights", 1, payload("a", 3))

    with pytest.raises(CapacityError, match="full"):
        spool.append("labels", "flights", 0, payload("b"))
    assert spool.depth().rows == 3

    spool.acknowledge(bound(spool)[0])
    spool.append("labels", "flights", 0, payload("b"))
    assert spool.depth().rows == 1
    spool.close()


def test_bytes_are_bounded_too_and_counted_again_after_a_restart(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_bytes=10)
    spool.append("predictions", "flights", 1, payload("x" * 8))
    spool.close()

    spool = opened(tmp_path, max_bytes=10)
    with pytest.raises(CapacityError):
        spool.append("predictions", "flights", 1, payload("yyy"))
    spool.append("predictions", "flights", 1, payload("yy"))
    assert spool.depth().bytes == 10
    spool.close()


def test_a_batch_may_be_divided_and_buried(spool: Spool) -> None:
    spool.append("predictions", "flights", 1, payload("ab", 2))
    batch = bound(spool)[0]

    spool.divide(batch, [[payload("a")], [payload("b")]])
    first, second = spool.batches()
    spool.bury(first, "no such column")

    assert held(spool) == [["b"]]
    assert first.sequence > batch.sequence
    assert spool.batches() == [second]
    assert spool.depth().dead_letters == 1
    assert spool.depth().rows == 1
    assert spool.reasons() == ["no such column"]


def test_one_folder_has_one_owner(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match=r"in use by process \d+ on "):
        opened(tmp_path)


def test_a_closed_spool_leaves_the_folder_to_others(tmp_path: Path) -> None:
    opened(tmp_path).close()
    opened(tmp_path).close()


def test_what_is_no_spool_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"something else " * 100)

    with pytest.raises(DatabaseError, match="cannot be used as a spool"):
        opened(tmp_path)
    (tmp_path / "spool.db").unlink()
    opened(tmp_path).close()


def test_a_spool_of_a_later_release_is_refused(tmp_path: Path) -> None:
    opened(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "spool.db")
    connection.execute("UPDATE facts SET value = '9' WHERE name = 'format'")
    connection.commit()
    connection.close()

    with pytest.raises(DatabaseError, match="expected a spool of format 1, got 9"):
        opened(tmp_path)


def test_a_full_disk_refuses_and_forgets_nothing(spool: Spool) -> None:
    spool.append("predictions", "flights", 1, payload("a"))
    pages = spool._connection.execute("PRAGMA page_count").fetchone()[0]
    spool._connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(CapacityError, match="cannot be written"):
        spool.append("predictions", "flights", 1, payload("b" * 50_000))

    assert spool.depth().rows == 1
    spool._connection.execute("PRAGMA max_page_count = 1000000")
    spool.append("predictions", "flights", 1, payload("c"))
    assert held(spool) == [["a", "c"]]


def test_threads_append_while_another_ships(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_rows=100_000, max_bytes=10_000_000)
    shipped: list[bytes] = []

    def ship() -> None:
        for batch in bound(spool, max_rows=50):
            shipped.extend(p.content for p in spool.payloads(batch))
            spool.acknowledge(batch)

    with ThreadPoolExecutor(8) as pool:
        writes = [
            pool.submit(spool.append, "predictions", "flights", 1, payload(str(i)))
            for i in range(1000)
        ]
        while not all(write.done() for write in writes):
            ship()
        for write in writes:
            write.result()
    ship()

    assert sorted(int(content) for content in shipped) == list(range(1000))
    assert spool.depth().rows == spool.depth().bytes == 0
    spool.close()
