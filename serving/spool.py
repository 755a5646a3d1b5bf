"""The durable local buffer that every record reaches before its answer leaves."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from serving.combine import Combiner
from serving.lock import FolderLock
from watchkeeper.errors import CapacityError, DatabaseError

Kind = Literal["predictions", "labels"]

_FORMAT = "1"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL, model TEXT NOT NULL, generation INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL, model TEXT NOT NULL, generation INTEGER NOT NULL,
  rows INTEGER NOT NULL, payload BLOB NOT NULL,
  batch INTEGER REFERENCES batches (sequence));
CREATE INDEX IF NOT EXISTS entries_batch ON entries (batch);
CREATE TABLE IF NOT EXISTS dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL, model TEXT NOT NULL, generation INTEGER NOT NULL,
  rows INTEGER NOT NULL, payload BLOB NOT NULL, reason TEXT NOT NULL);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """The encoded records of one request."""

    rows: int
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoolBatch:
    """Entries that go to the lake as one commit; what a sequence number stands for never changes.

    Parameters
    ----------
    generation
        Schema generation of predictions; 0 for labels.
    """

    sequence: int
    kind: Kind
    model: str
    generation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Depth:
    """How much a spool holds; dead letters are counted apart."""

    rows: int
    bytes: int
    dead_letters: int


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: Kind
    model: str
    generation: int
    payload: Payload


class Spool:
    """A SQLite file that one process owns and its threads share.

    Parameters
    ----------
    directory
        Its folder, on a local disk; made when it is not there.
    max_rows, max_bytes
        When either is reached, nothing more is taken until something was shipped.

    Raises
    ------
    ConflictError
        Another process owns the folder.
    DatabaseError
        The file is no spool, or one of a later release.
    """

    def __init__(self, directory: Path, *, max_rows: int, max_bytes: int) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._owner = FolderLock(directory)
        self._lock = threading.Lock()
        try:
            self._connection = _open(directory / "spool.db")
        except BaseException:
            self._owner.release()
            raise
        self.writer = _writer(self._connection)
        self._rows, self._bytes = _size(self._connection)
        self._appends = Combiner(self._write_all, limit=256)

    def append(self, kind: Kind, model: str, generation: int, payload: Payload) -> None:
        """Store the records of one request; they are on disk when this returns.

        Requests that come at the same time share one sync of the disk.

        Raises
        ------
        CapacityError
            The spool, or the disk, is full; nothing of the request was stored.
        """
        self._appends.submit(_Entry(kind, model, generation, payload))

    def bind(self, max_rows: int = 20_000) -> None:
        """Bind new entries into batches of at most ``max_rows``, or of one entry."""
        with self._transaction() as connection:
            loose = connection.execute(
                "SELECT id, kind, model, generation, rows FROM entries"
                " WHERE batch IS NULL ORDER BY id"
            ).fetchall()
            tables: dict[tuple[Kind, str, int], list[tuple[int, int]]] = {}
            for entry, kind, model, generation, rows in loose:
                tables.setdefault((kind, model, generation), []).append((entry, rows))
            for table, entries in tables.items():
                for group in _groups(entries, max_rows):
                    _bind(connection, *table, group)

    def batches(self) -> list[SpoolBatch]:
        """Return the batches that are bound, predictions first, each table's in order."""
        with self._lock:
            found = self._connection.execute(
                "SELECT sequence, kind, model, generation FROM batches ORDER BY kind DESC, sequence"
            ).fetchall()
        return [
            SpoolBatch(sequence=sequence, kind=kind, model=model, generation=generation)
            for sequence, kind, model, generation in found
        ]

    def payloads(self, batch: SpoolBatch) -> list[Payload]:
        """Return what a batch holds, in the order in which it came."""
        with self._lock:
            found = self._connection.execute(
                "SELECT rows, payload FROM entries WHERE batch = ? ORDER BY id", (batch.sequence,)
            ).fetchall()
        return [Payload(rows=rows, content=content) for rows, content in found]

    def acknowledge(self, batch: SpoolBatch) -> None:
        """Forget a batch that is in the lake."""
        with self._transaction() as connection:
            self._shrink(_remove(connection, batch))

    def divide(self, batch: SpoolBatch, parts: Sequence[Sequence[Payload]]) -> None:
        """Replace a batch that the lake refused by several, under new sequence numbers."""
        with self._transaction() as connection:
            self._shrink(_remove(connection, batch))
            for part in parts:
                entries = [
                    _insert(connection, _Entry(batch.kind, batch.model, batch.generation, payload))
                    for payload in part
                ]
                _bind(connection, batch.kind, batch.model, batch.generation, entries)
            payloads = [payload for part in parts for payload in part]
            self._rows += sum(payload.rows for payload in payloads)
            self._bytes += sum(len(payload.content) for payload in payloads)

    def bury(self, batch: SpoolBatch, reason: str) -> None:
        """Set aside a batch that the lake can never take, with the reason."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO dead_letters (kind, model, generation, rows, payload, reason)"
                " SELECT kind, model, generation, rows, payload, ? FROM entries WHERE batch = ?",
                (reason, batch.sequence),
            )
            self._shrink(_remove(connection, batch))

    def depth(self) -> Depth:
        """Return how much waits, and how much was set aside."""
        with self._lock:
            dead = self._connection.execute("SELECT count(*) FROM dead_letters").fetchone()[0]
            return Depth(rows=self._rows, bytes=self._bytes, dead_letters=dead)

    def reasons(self, limit: int = 20) -> list[str]:
        """Return why the newest dead letters were set aside."""
        with self._lock:
            found = self._connection.execute(
                "SELECT reason FROM dead_letters ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [reason for (reason,) in found]

    def close(self) -> None:
        """Close the file and let another process have the folder."""
        with self._lock:
            self._connection.close()
            self._owner.release()

    def _write_all(self, entries: list[_Entry]) -> list[Exception | None]:
        with self._transaction() as connection:
            outcomes: list[Exception | None] = []
            for entry in entries:
                rows = self._rows + entry.payload.rows
                size = self._bytes + len(entry.payload.content)
                if rows > self._max_rows or size > self._max_bytes:
                    outcomes.append(_full(self._rows, self._bytes))
                    continue
                _insert(connection, entry)
                self._rows, self._bytes = rows, size
                outcomes.append(None)
        return outcomes

    def _shrink(self, size: tuple[int, int]) -> None:
        self._rows -= size[0]
        self._bytes -= size[1]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            before = self._rows, self._bytes
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as exc:
                self._rows, self._bytes = before
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                if isinstance(exc, sqlite3.OperationalError):
                    raise CapacityError(f"the spool cannot be written: {exc}") from exc
                raise


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        # A commit must survive the loss of power, not only of the process.
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(_SCHEMA)
        connection.execute("INSERT OR IGNORE INTO facts VALUES ('format', ?)", (_FORMAT,))
        found = connection.execute("SELECT value FROM facts WHERE name = 'format'").fetchone()[0]
    except sqlite3.DatabaseError as exc:
        connection.close()
        raise DatabaseError(f"{path}: cannot be used as a spool: {exc}") from exc
    if found != _FORMAT:
        connection.close()
        raise DatabaseError(f"{path}: expected a spool of format {_FORMAT}, got {found}")
    return connection


def _writer(connection: sqlite3.Connection) -> str:
    """Return the name under which this spool has written to the lake since it was made."""
    connection.execute("INSERT OR IGNORE INTO facts VALUES ('writer', ?)", (uuid.uuid4().hex,))
    found = connection.execute("SELECT value FROM facts WHERE name = 'writer'").fetchone()
    return str(found[0])


def _size(connection: sqlite3.Connection, sequence: int | None = None) -> tuple[int, int]:
    total = "SELECT coalesce(sum(rows), 0), coalesce(sum(length(payload)), 0) FROM entries"
    if sequence is None:
        rows, size = connection.execute(total).fetchone()
    else:
        rows, size = connection.execute(f"{total} WHERE batch = ?", (sequence,)).fetchone()
    return rows, size


def _full(rows: int, size: int) -> CapacityError:
    return CapacityError(
        f"the spool is full ({rows} rows, {size} bytes wait for the lake); "
        "nothing was stored, try again"
    )


def _insert(connection: sqlite3.Connection, entry: _Entry) -> int:
    cursor = connection.execute(
        "INSERT INTO entries (kind, model, generation, rows, payload) VALUES (?, ?, ?, ?, ?)",
        (entry.kind, entry.model, entry.generation, entry.payload.rows, entry.payload.content),
    )
    return int(cursor.lastrowid or 0)


def _remove(connection: sqlite3.Connection, batch: SpoolBatch) -> tuple[int, int]:
    size = _size(connection, batch.sequence)
    connection.execute("DELETE FROM entries WHERE batch = ?", (batch.sequence,))
    connection.execute("DELETE FROM batches WHERE sequence = ?", (batch.sequence,))
    return size


def _groups(entries: Sequence[tuple[int, int]], max_rows: int) -> Iterator[list[int]]:
    group: list[int] = []
    total = 0
    for entry, rows in entries:
        if group and total + rows > max_rows:
            yield group
            group, total = [], 0
        group.append(entry)
        total += rows
    if group:
        yield group


def _bind(
    connection: sqlite3.Connection,
    kind: Kind,
    model: str,
    generation: int,
    entries: Sequence[int],
) -> None:
    cursor = connection.execute(
        "INSERT INTO batches (kind, model, generation) VALUES (?, ?, ?)", (kind, model, generation)
    )
    connection.executemany(
        "UPDATE entries SET batch = ? WHERE id = ?", [(cursor.lastrowid, e) for e in entries]
    )
