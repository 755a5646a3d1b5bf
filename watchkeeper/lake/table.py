"""One Delta table: append each batch once, list the files of some days, compact."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from watchkeeper.errors import ConflictError, TableError
from watchkeeper.lake.columns import refuse_other_columns

#: Appends that may collide with others' before one gives up, and the first pause between them.
ATTEMPTS = 15
PAUSE = 0.01


class LakeTable:
    """One version of one table, as it was when it was opened.

    Parameters
    ----------
    uri
        Folder or URL.
    table
        The opened Delta table.
    generation
        Schema generation of a prediction table; 0 for labels.
    """

    def __init__(self, uri: str, table: DeltaTable, *, generation: int) -> None:
        self.uri = uri
        self.generation = generation
        self._table = table

    @property
    def version(self) -> int:
        """Number of the table's version; a later append makes a higher one."""
        return self._table.version()

    @property
    def schema(self) -> pa.Schema:
        """The columns, the partition column ``day`` among them."""
        return pa.schema(self._table.schema().to_arrow())

    def files(self, days: Collection[date] | None = None) -> list[str]:
        """Return the Parquet files that hold the rows of some days.

        The column ``day`` is in their paths, not in the files: read them with
        ``hive_partitioning=True``.

        Parameters
        ----------
        days
            UTC days of event time; None for all.

        Returns
        -------
        list of str
            Paths or URLs in order of their days; empty when there are no such rows.
        """
        # The table's own file_uris() escapes spaces and the like, and DuckDB then finds nothing.
        return [
            f"{self.uri}/{path}"
            for day, path in self._actions("partition.day", "path")
            if days is None or day in days
        ]

    def days(self) -> list[date]:
        """Return the days that have rows, in order."""
        return sorted({day for (day,) in self._actions("partition.day")})

    def row_count(self) -> int:
        """Return how many rows there are, from the table's log alone."""
        return sum(count for _, count in self._actions("partition.day", "num_records"))

    def compact(self) -> bool:
        """Merge the small files of each day; files unused for a week are deleted.

        Returns
        -------
        bool
            False when another process changed the same files first; nothing was done then.
        """
        with readable_errors(self.uri):
            try:
                self._table.optimize.compact()
            except CommitFailedError:
                return False
            self._table.vacuum(dry_run=False)
            return True

    def _actions(self, *columns: str) -> list[tuple[Any, ...]]:
        with readable_errors(self.uri):
            actions = pa.table(self._table.get_add_actions(flatten=True))
        if not actions.num_rows:
            return []
        return sorted(zip(*(actions[column].to_pylist() for column in columns), strict=True))


def open_table(uri: str, options: dict[str, str], *, generation: int = 0) -> LakeTable | None:
    """Open the newest version of a table; None when nothing was ever appended."""
    with readable_errors(uri):
        table = _open(uri, options)
    return None if table is None else LakeTable(uri, table, generation=generation)


def append(
    uri: str, options: dict[str, str], rows: pa.Table, *, writer: str, sequence: int
) -> bool:
    """Append a batch, exactly once however often it is tried.

    The commit itself carries the batch's ``(writer, sequence)``: it is in the table if and only
    if the rows are. Of two processes that append under the same name at once, one is turned
    back by the table and then finds the batch in place.

    Parameters
    ----------
    writer, sequence
        Name of the shipper, and the number of its batch, growing from batch to batch.

    Returns
    -------
    bool
        False when this batch, or a later one of the same writer, is in already.

    Raises
    ------
    TableError
        The columns are not the table's, or the table cannot be read or written.
    ConflictError
        Others appended at the same time, again and again.
    """
    stamp = CommitProperties(app_transactions=[Transaction(writer, sequence)])
    with readable_errors(uri):
        for attempt in range(ATTEMPTS):
            table = _open(uri, options) or _create(uri, options, rows.schema)
            if table is not None:
                shipped = table.transaction_version(writer)
                if shipped is not None and shipped >= sequence:
                    return False
                expected = pa.schema(table.schema().to_arrow())
                refuse_other_columns(rows.schema, expected, table=uri)
                if _committed(table, rows.select(expected.names), stamp):
                    return True
            time.sleep(PAUSE * 2 ** min(attempt, 6))
    raise ConflictError(f"{uri}: others append at the same time; try again")


@contextmanager
def readable_errors(uri: str) -> Iterator[None]:
    """Turn what the storage says into one line with the table's name."""
    try:
        yield
    except (DeltaError, OSError) as exc:
        words = next((line.strip() for line in str(exc).splitlines() if line.strip()), "no reason")
        raise TableError(f"the storage says: {words}", table=uri) from exc


def _open(uri: str, options: dict[str, str]) -> DeltaTable | None:
    try:
        return DeltaTable(uri, storage_options=options)
    except TableNotFoundError:
        return None


def _create(uri: str, options: dict[str, str], schema: pa.Schema) -> DeltaTable | None:
    try:
        return DeltaTable.create(
            uri, schema, mode="error", partition_by=["day"], storage_options=options
        )
    except DeltaError:
        # Somebody else made it at the same moment; any other reason shows again on the next try.
        if DeltaTable.is_deltatable(uri, storage_options=options):
            return None
        raise


def _committed(table: DeltaTable, rows: pa.Table, stamp: CommitProperties) -> bool:
    try:
        write_deltalake(table, rows, mode="append", commit_properties=stamp)
    except CommitFailedError:
        return False
    return True
