"""PostgreSQL counts the same as DuckDB when a profile is pushed down to it."""

from __future__ import annotations

import ibis
import psycopg
import pyarrow as pa
import pytest
from sqlalchemy import make_url

import nasty_rows as nasty
from watchkeeper.schema import Task

TYPES = {
    "int64": "bigint",
    "int32": "integer",
    "double": "double precision",
    "float": "real",
    "bool": "boolean",
    "string": "text",
    "timestamp[us, tz=UTC]": "timestamptz",
    "timestamp[us]": "timestamp",
    "list<item: double>": "double precision[]",
}


def copy_into(server: str, table: pa.Table) -> ibis.BaseBackend:
    url = make_url(server)
    where = {"host": url.query["host"], "user": "postgres", "dbname": url.database}
    columns = ", ".join(f'"{field.name}" {TYPES[str(field.type)]}' for field in table.schema)
    with psycopg.connect(**where) as connection:
        connection.execute(f"CREATE TABLE logged ({columns})")
        with connection.cursor().copy("COPY logged FROM STDIN") as copy:
            for row in table.to_pylist():
                copy.write_row(tuple(row.values()))
    return ibis.postgres.connect(host=url.query["host"], user="postgres", database=url.database)


@pytest.mark.parametrize("task", Task)
def test_postgres_counts_what_duckdb_counts(task: Task, postgres_url: str) -> None:
    rows, bins = nasty.nasty_rows(task, 2000, seed=5), nasty.nasty_bins(task)
    backend = copy_into(postgres_url, rows)
    try:
        nasty.check_same(backend, backend.table("logged"), rows, bins)
    finally:
        backend.disconnect()
