"""Every way to name a table, and every way in which it can be wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from monitor.sql import select
from monitor.tables import Table, Tables
from watchkeeper.errors import TableError

ROWS = pa.table({"x": [1.0, 2.0, None], "name": ["a", "b", "b"]})


@pytest.fixture
def tables() -> Iterator[Tables]:
    with Tables() as opened:
        yield opened


def content(tables: Tables, table: Table) -> list[tuple[object, ...]]:
    return tables.query(table, f"SELECT * FROM {table.source} ORDER BY ALL")


def test_it_opens_a_file_a_glob_a_folder_and_a_delta_table(tables: Tables, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    pq.write_table(ROWS.slice(0, 2), tmp_path / "parts" / "1.parquet")
    pq.write_table(ROWS.slice(2), tmp_path / "parts" / "2.parquet")
    write_deltalake(tmp_path / "delta", ROWS, partition_by=["name"])
    names = (
        f"{tmp_path}/parts",
        f"{tmp_path}/parts/*.parquet",
        f"file://{tmp_path}/parts/?.parquet",
        f"{tmp_path}/delta",
    )
    for name in names:
        table = tables.open(name)
        assert table.rows == 3
        assert set(table.types) == {"x", "name"}
        assert sorted(row[0] or 0 for row in content(tables, table)) == [0, 1.0, 2.0]


def test_a_file_whose_statistics_know_nothing_of_nan_has_it(tables: Tables, tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    pq.write_table(pa.table({"score": [0.2, float("nan"), 0.7, float("nan")]}), path)
    table = tables.open(str(path))
    counted = select(["isnan(score)", "count(*)"], table.source, "GROUP BY 1 ORDER BY 1")
    assert tables.query(table, counted) == [(False, 2), (True, 2)]


def test_partition_folders_are_columns(tables: Tables, tmp_path: Path) -> None:
    (tmp_path / "day=2024-01-02").mkdir()
    pq.write_table(ROWS, tmp_path / "day=2024-01-02" / "1.parquet")
    assert "day" in tables.open(str(tmp_path)).types


def test_it_fetches_a_table_of_another_database(tables: Tables, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE readings (x REAL, name TEXT)")
        database.executemany("INSERT INTO readings VALUES (?, ?)", [(1.5, "a"), (None, "b")])
    database.close()
    table = tables.open(f"sqlite://{tmp_path}/other.db#readings")
    assert content(tables, table) == [(1.5, "a"), (None, "b")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_types_come_from_every_row(tables: Tables, tmp_path: Path, delimiter: str) -> None:
    lines = [["n", "late", "flag", "when", "absent"]]
    lines += [[f"{i}.5", str(i), "true", f"2024-01-{i:02}", ""] for i in range(1, 29)]
    lines += [["NA", "late", "False", "2024-02-01T10:00:00+02:00", "NA"]]
    file = tmp_path / "table.csv"
    file.write_text("\n".join(delimiter.join(line) for line in lines))
    assert list(tables.open(str(file)).types.values()) == [
        "DOUBLE",
        "VARCHAR",
        "BOOLEAN",
        "TIMESTAMP WITH TIME ZONE",
        "VARCHAR",
    ]


def test_quoted_fields_may_hold_delimiters_quotes_and_lines(tables: Tables, tmp_path: Path) -> None:
    file = tmp_path / "quoted.csv"
    file.write_bytes(b'\xef\xbb\xbfa,b\r\n1,"x, ""y""\r\nz"\r\n,2\r\n')
    table = tables.open(str(file))
    assert content(tables, table) == [(1.0, 'x, "y"\r\nz'), (None, "2")]


def test_times_without_a_zone_are_utc_and_offsets_count(tables: Tables, tmp_path: Path) -> None:
    file = tmp_path / "times.csv"
    file.write_text("when\n2024-01-01 00:00:00\n2024-01-01T02:00:00+02:00\n")
    table = tables.open(str(file))
    found = tables.query(table, f'SELECT DISTINCT epoch_us("when") FROM {table.source}')
    assert found == [(1_704_067_200_000_000,)]


def damaged(folder: Path) -> dict[str, str]:
    """Write one broken table of each sort; return what is said of each, by name."""
    whole = folder / "whole.parquet"
    pq.write_table(ROWS, whole)
    (folder / "cut.parquet").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (folder / "empty.parquet").write_bytes(b"")
    pq.write_table(ROWS.select([]), folder / "no-columns.parquet")
    (folder / "short.csv").write_text("a,b\n1,2\n3\n4,5\n")
    late = "a,b\n" + "1,2\n" * 30_000 + "1,2,3\n"
    (folder / "late.csv").write_text(late)
    (folder / "open.csv").write_text('a,b\n1,"2\n3,4\n')
    (folder / "latin.csv").write_bytes("a,b\n1,é\n".encode("latin-1"))
    (folder / "nothing.csv").write_text("")
    (folder / "twice.csv").write_text("a,b,A\n1,2,3\n")
    (folder / "nodata").mkdir()
    (folder / "first.tsv").write_text("a\tb\n1\t2\n")
    (folder / "second.tsv").write_text("a\tc\n1\t2\n")
    return {
        "gone.parquet": "no such file",
        "*.gone": "no such file",
        "cut.parquet": "not a whole Parquet file",
        "empty.parquet": "not a whole Parquet file",
        "no-columns.parquet": "the table has no columns",
        "short.csv": "line 3: expected 2 fields, got 1",
        "late.csv": "line 30002: expected 2 fields, got 3",
        "open.csv": "line 2: a quoted field is never closed",
        "latin.csv": "expected UTF-8 text",
        "nothing.csv": "line 1: the file is empty; expected a header line",
        "twice.csv": "line 1: two columns are named 'a'",
        "nodata": "the folder holds no Parquet, CSV or Delta data",
        "*.tsv": "its header differs from the one of",
    }


def test_each_refusal_is_one_line_that_names_the_place(tables: Tables, tmp_path: Path) -> None:
    for name, problem in damaged(tmp_path).items():
        with pytest.raises(TableError) as refusal:
            tables.open(f"{tmp_path}/{name}")
        assert problem in str(refusal.value)
        assert "\n" not in str(refusal.value)
        assert str(tmp_path) in str(refusal.value)


def test_a_url_is_refused_without_showing_its_password(tables: Tables) -> None:
    for name, problem in {
        "nonsense://host/db#t": "no database is known by the scheme 'nonsense'",
        "postgres://me:secret@localhost:1/db#t": "cannot be read",
        "postgres://me:secret@localhost:1/db": "expected '#' and the name of a table",
    }.items():
        with pytest.raises(TableError, match=problem) as refusal:
            tables.open(name)
        assert "secret" not in str(refusal.value)


def test_closing_removes_what_was_copied(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with Tables() as tables:
        source = tables.open(f"{tmp_path}/a.csv").source
        copy = Path(source.split("'")[1])
        assert copy.exists()
    assert not copy.parent.exists()


def test_row_groups_of_many_columns_are_read_with_the_usual_memory(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    rows = pa.table({f"x{number}": random.normal(size=400_000) for number in range(50)})
    with pq.ParquetWriter(tmp_path / "rows.parquet", rows.schema) as file:
        for _ in range(2):
            file.write_table(rows, row_group_size=400_000)

    with Tables(threads=2) as tables:
        table = tables.open(str(tmp_path / "rows.parquet"))
        columns = ", ".join(f"sum({name})" for name in table.types)
        sums = tables.query(table, f"SELECT {columns} FROM {table.source}")[0]

    assert sums == pytest.approx([2 * rows[name].to_numpy().sum() for name in table.types])
