"""How many rows a table has in each hour, for the cycles of its volume."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.sql import identifier, select
from monitor.tables import Tables
from watchkeeper.errors import TableError

HOUR = timedelta(hours=1)


def rows_by_hour(path: Path, timestamp: str) -> dict[datetime, int]:
    """Return the rows of each hour in UTC, in order; empty where the table has no such times.

    Naive times are UTC. Hours without rows are left out.
    """
    try:
        with Tables() as tables:
            table = tables.open(str(path))
            if not table.types.get(timestamp, "").startswith(("TIMESTAMP", "DATE")):
                return {}
            column = identifier(timestamp)
            hour = f"epoch_us(date_trunc('hour', {column})) // 3600000000"
            clauses = (f"WHERE {column} IS NOT NULL", "GROUP BY 1", "ORDER BY 1")
            found = tables.query(table, select([hour, "count(*)"], table.source, *clauses))
    except TableError:
        return {}
    return {datetime.fromtimestamp(hour * 3600, UTC): rows for hour, rows in found}
