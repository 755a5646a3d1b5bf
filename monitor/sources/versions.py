"""Which version of the model has made the rows of a table."""

from __future__ import annotations

from dataclasses import replace

from monitor.comparison.columns import Family, family
from monitor.sql import identifier, select
from monitor.tables import Table, Tables

#: Rows of a table with a column of this name, of whole numbers, are kept apart by it.
COLUMN = "version"
_VERSION = f"COALESCE(TRY_CAST({identifier(COLUMN)} AS INTEGER), 1)"


def versions_in(tables: Tables, table: Table) -> list[int]:
    """Return the versions of a table's rows, in order; rows that name none are of version 1."""
    if not _names_versions(table):
        return [1]
    query = select([f"DISTINCT {_VERSION} AS v"], table.source, "ORDER BY v")
    return [row[0] for row in tables.query(table, query)]


def of_version(tables: Tables, table: Table, version: int) -> Table:
    """Return the rows of one version."""
    if not _names_versions(table):
        return table
    source = f"({select(['*'], table.source, f'WHERE {_VERSION} = {version}')})"
    rows = tables.query(table, select(["count(*)"], source))[0][0]
    return replace(table, source=source, rows=int(rows))


def _names_versions(table: Table) -> bool:
    return family(table.types.get(COLUMN, "")) is Family.NUMBER
