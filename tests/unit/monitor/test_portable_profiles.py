"""Profiles for other engines: the SQL that they are sent, and what is refused."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import ibis
import pytest

from monitor.edges import ColumnBins
from monitor.profiles.bins import ProfileBins
from monitor.profiles.dialects import rewritten
from monitor.profiles.portable import portable_query
from watchkeeper.errors import InputError
from watchkeeper.schema import ColumnKind, Task

RANDOM = re.compile(r"[0-9a-f]{32}")
GOLDEN = Path(__file__).with_name("golden")
BINS = ProfileBins(
    columns={
        "distance": ColumnBins(
            kind=ColumnKind.NUMERICAL, edges=(10.0,), minimum=1.5, maximum=20.25, decimals=2
        ),
        "carrier": ColumnBins(kind=ColumnKind.CATEGORICAL, categories=("", "B'6")),
        "built": ColumnBins(kind=ColumnKind.DATETIME, edges=(1e15,)),
    },
    task=Task.REGRESSION,
)
TYPES = {
    "timestamp": "timestamp('UTC')",
    "distance": "float64",
    "carrier": "string",
    "built": "timestamp('UTC')",
    "y_pred": "float64",
    "y_true": "float64",
}


def sql(dialect: str) -> str:
    table = ibis.table(TYPES, name="logged")
    queries = portable_query(table, BINS, timedelta(hours=1)).queries
    written = {
        name: ibis.to_sql(rewritten(one, dialect), dialect=dialect) for name, one in queries.items()
    }
    # Names that are drawn anew each time.
    return RANDOM.sub("drawn", "".join(f"-- {name}\n{one}\n" for name, one in written.items()))


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake"])
def test_warehouses_are_sent_the_sql_that_is_on_file(dialect: str) -> None:
    # What an engine that no test can run is sent changes only on purpose.
    assert sql(dialect) == (GOLDEN / f"{dialect}.sql").read_text()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"carrier": "float64"}, "column carrier: expected categories as text"),
        ({"built": "string"}, "column built: expected timestamps, got string"),
    ],
)
def test_types_that_engines_read_differently_are_refused(
    changed: dict[str, str], expected: str
) -> None:
    table = ibis.table(TYPES | changed, name="logged")
    with pytest.raises(InputError, match=expected):
        portable_query(table, BINS, timedelta(hours=1))
