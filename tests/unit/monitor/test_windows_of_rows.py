"""Windows of so many rows: a table on a clock that ticks once a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.sources.by_rows import START, Counted, count_rows
from monitor.tables import Tables
from watchkeeper.model_settings import ModelSettings

DAY = timedelta(days=1)
SURVEY = datetime(2016, 7, 1, tzinfo=UTC)


def settings_of(*, rows: int, delay: str = "0s") -> ModelSettings:
    return ModelSettings.model_validate(
        {
            "model": "jobs",
            "task": "binary",
            "owner": {"name": "Ada"},
            "timestamp": "asked",
            "prediction": {"score": "p"},
            "label": {"column": "y", "delay": delay},
            "windows": {"size": f"{rows} rows"},
            "tolerance": {"metric": "roc_auc", "drop": 0.02},
        }
    )


def write(folder: Path, times: list[datetime]) -> str:
    count = len(times)
    table = pa.table(
        {
            "asked": pa.array(times, pa.timestamp("us", tz="UTC")),
            "arrived": list(range(count)),
            "p": [0.5] * count,
            "y": [0, 1] * (count // 2) + [0] * (count % 2),
        }
    )
    path = folder / "log.parquet"
    pq.write_table(table, path)
    return str(path)


def told(tables: Tables, counted: Counted) -> list[tuple[int, timedelta, timedelta]]:
    """Return for each row its arrival, its counted time, and the wait for its label."""
    start = f"epoch_us(TIMESTAMPTZ '{START.isoformat()}')"
    wait = "epoch_us(watchkeeper_known_at) - epoch_us(asked)"
    sql = (
        f"SELECT arrived, epoch_us(asked) - {start}, {wait} FROM {counted.table.source} ORDER BY 2"
    )
    return [
        (arrived, timedelta(microseconds=at), timedelta(microseconds=wait))
        for arrived, at, wait in tables.query(counted.table, sql)
    ]


def test_rows_of_one_instant_are_cut_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    path = write(tmp_path, [SURVEY] * 10)
    with Tables() as tables:
        counted = count_rows(tables, tables.open(path), settings_of(rows=4))
        rows = told(tables, counted)

    assert [arrived for arrived, _, _ in rows] == list(range(10))
    assert [at // DAY for _, at, _ in rows] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert {wait for _, _, wait in rows} == {timedelta(0)}
    assert counted.clock.instants == (SURVEY,) * 4
    assert counted.settings.windows.size == DAY
    assert counted.settings.windows.rows is None


def test_a_late_label_is_known_when_the_rows_before_it_have_been_seen(tmp_path: Path) -> None:
    path = write(tmp_path, [SURVEY + hour * timedelta(hours=1) for hour in range(20)])
    with Tables() as tables:
        counted = count_rows(tables, tables.open(path), settings_of(rows=4, delay="6h"))
        waits = [wait for _, _, wait in told(tables, counted)]

    # Four rows an hour apart make windows of three or four hours: a length of the clock of 3h.
    length = counted.clock.length
    assert length == timedelta(hours=3)
    # The label of the first row comes six hours on: the sixth row after it has been seen, whose
    # own hour is not over, so five rows of three quarters of an hour each have passed.
    assert waits[0] == 5 * length / 4
    assert waits[-1] == timedelta(0)
    # The first window ends after four hours; six on, half of the third is over.
    assert counted.settings.label.delay == 1.5 * length


def test_a_reference_ends_where_its_log_starts(tmp_path: Path) -> None:
    path = write(tmp_path, [SURVEY + day * DAY for day in range(10)])
    with Tables() as tables:
        log = count_rows(tables, tables.open(path), settings_of(rows=4))
        before = count_rows(tables, tables.open(path), settings_of(rows=4), reference_of=log.clock)
        last = max(at for _, at, _ in told(tables, before))

    assert before.clock.length == log.clock.length
    assert before.clock.start == START - 3 * log.clock.length
    assert last < timedelta(0)


@settings(max_examples=12, deadline=None)
@given(
    gaps=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    rows=st.integers(1, 12),
)
def test_every_window_but_the_last_has_just_so_many_rows(
    tmp_path_factory: object, gaps: list[int], rows: int
) -> None:
    folder = tmp_path_factory.mktemp("log")  # type: ignore[attr-defined]
    times = [SURVEY + sum(gaps[: i + 1]) * timedelta(hours=1) for i in range(len(gaps))]
    with Tables() as tables:
        counted = count_rows(tables, tables.open(write(folder, times)), settings_of(rows=rows))
        numbers = [at // counted.clock.length for _, at, _ in told(tables, counted)]

    assert numbers == [i // rows for i in range(len(times))]
    firsts = [times[i] for i in range(0, len(times), rows)]
    assert counted.clock.instants == (*firsts, times[-1])
