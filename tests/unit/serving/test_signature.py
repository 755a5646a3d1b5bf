from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.model import Record
from serving.signature import Signature, new_id
from serving.wording import RecordsError
from watchkeeper.errors import RecordError, TooLargeError
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
SCHEMA = FeatureSchema(
    columns=(
        Column(name="distance in km", kind=ColumnKind.NUMERICAL, nullable=False),
        Column(name="wind", kind=ColumnKind.NUMERICAL, nullable=True),
        Column(name="carrier", kind=ColumnKind.CATEGORICAL, nullable=False, categories=("AA",)),
        Column(name="month", kind=ColumnKind.CATEGORICAL, nullable=True, categories=("1", "12")),
        Column(name="seen_at", kind=ColumnKind.DATETIME, nullable=True),
        Column(name="note", kind=ColumnKind.TEXT, nullable=True),
    ),
    target="late",
    task=Task.BINARY,
    classes=("0", "1"),
)
GOOD: dict[str, Any] = {
    "distance in km": 7,
    "wind": None,
    "carrier": "AA",
    "month": 12,
    "seen_at": "2013-06-01T10:00:00+02:00",
    "note": "",
}
SIGNATURE = Signature(SCHEMA, max_records=100)


def body(*features: Any, **more: Any) -> bytes:
    return json.dumps({"records": [{"features": f, **more} for f in features]}).encode()


def refused(raw: bytes) -> RecordError:
    with pytest.raises(RecordError) as caught:
        SIGNATURE.decode(raw, NOON)
    return caught.value


def test_good_records_become_columns() -> None:
    batch = SIGNATURE.decode(body(GOOD, GOOD | {"wind": 2.5, "carrier": "ZZ"}), NOON)

    assert batch.columns["distance in km"] == [7.0, 7.0]
    assert batch.columns["wind"] == [None, 2.5]
    assert batch.columns["carrier"] == ["AA", "ZZ"]
    assert batch.columns["month"] == ["12", "12"]
    assert batch.columns["seen_at"][0] == datetime(2013, 6, 1, 8, tzinfo=UTC)
    assert batch.timestamps == [NOON, NOON]
    assert len(set(batch.ids)) == len(batch) == 2


def test_an_id_and_a_time_are_kept_and_naive_means_utc() -> None:
    batch = SIGNATURE.decode(body(GOOD, prediction_id="a-1", timestamp="2013-05-01T00:00:00"), NOON)

    assert batch.ids == ["a-1"]
    assert batch.timestamps == [datetime(2013, 5, 1, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("distance in km", "7", "expected a number, got text"),
        ("distance in km", True, "expected a number, got true or false"),
        ("distance in km", None, "expected a number, got null"),
        ("distance in km", [7], "expected a number, got a list"),
        ("distance in km", 10**400, "expected a number that is finite, within ±3.4e38"),
        ("distance in km", 1e39, "expected a number that is finite, within ±3.4e38"),
        ("wind", "x", "expected a number or null, got text"),
        ("carrier", 7, "expected text, got a whole number"),
        ("carrier", None, "expected text, got null"),
        ("carrier", "A" * 2000, "expected text of at most 1024 characters"),
        ("carrier", "A\x00", "expected text without the character NUL"),
        ("month", 1.5, "expected text or null, got a number"),
        ("month", True, "expected text or null, got true or false"),
        ("seen_at", "yesterday", "expected a date and time such as 2013-06-01T12:00:00Z or null"),
        (
            "seen_at",
            5,
            "expected a date and time such as 2013-06-01T12:00:00Z or null, got a whole number",
        ),
        ("note", {}, "expected text or null, got an object"),
        ("note", "x" * 100_000, "expected text or null of at most 65536 characters"),
    ],
)
def test_it_names_record_field_and_what_was_expected(field: str, value: Any, problem: str) -> None:
    error = refused(body(GOOD, GOOD | {field: value}))

    assert (error.record, error.field, error.problem) == (1, f"features.{field}", problem)


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "nan", "+1", "0x1", "1_0", "01"]
)
def test_what_json_does_not_know_is_malformed(number: str) -> None:
    raw = body(GOOD).replace(b'"distance in km": 7', f'"distance in km": {number}'.encode())

    assert "expected JSON text" in str(refused(raw))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400])
def test_a_number_that_overflows_is_refused(number: str) -> None:
    raw = body(GOOD).replace(b'"distance in km": 7', f'"distance in km": {number}'.encode())

    assert refused(raw).field == "features.distance in km"


def test_missing_and_unknown_features_are_named() -> None:
    error = refused(body({k: v for k, v in GOOD.items() if k != "wind"}))
    assert (error.field, error.problem) == ("features.wind", "missing; expected a number or null")

    error = refused(body(GOOD | {"wnd": 1}))
    assert error.field == "features.wnd"
    assert error.problem.startswith("unknown; expected only distance in km, wind")


def test_every_wrong_record_is_reported() -> None:
    error = refused(body(GOOD | {"wind": "x"}, GOOD, GOOD | {"note": 1}))

    assert isinstance(error, RecordsError)
    assert [(e.record, e.field) for e in error.errors] == [
        (0, "features.wind"),
        (2, "features.note"),
    ]


def test_at_most_fifty_are_reported() -> None:
    error = refused(body(*[GOOD | {"wind": "x"}] * 80))

    assert isinstance(error, RecordsError)
    assert len(error.errors) == 50


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "expected JSON text in UTF-8 (malformed, or cut off)"),
        (b"\xff\xfe", "expected JSON text"),
        (b'{"records": [{"features": {"note": "\xff"}}]}', "expected JSON text"),
        (b'{"records": [{"features": {"note": "\\ud800"}}]}', "expected"),
        (b"[" * 100_000, "expected an object with 'records'"),
        (b"[]", "expected an object with 'records', got a list"),
        (b"{}", "records: missing; expected a list"),
        (b'{"records": {}}', "records: expected a list, got an object"),
        (b'{"records": []}', "records: expected at least one"),
        (b'{"records": [], "more": 1}', "more: unknown; expected no such field"),
        (b'{"records": [1]}', "records[0]: expected an object, got a whole number"),
        (b'{"records": [{}]}', "records[0].features: missing"),
        (b'{"records": [{"features": 1}]}', "records[0].features: expected an object with the"),
    ],
)
def test_a_body_of_another_shape_is_refused(raw: bytes, message: str) -> None:
    assert message in str(refused(raw))


@pytest.mark.parametrize("identifier", ["", "a b", "ä", "a\n", "x" * 129, "a'b", 7])
def test_ids_are_short_and_plain(identifier: Any) -> None:
    error = refused(body(GOOD, prediction_id=identifier))

    assert error.field == "prediction_id"


def test_one_id_twice_in_a_request_is_refused() -> None:
    raw = json.dumps({"records": [{"features": GOOD, "prediction_id": "a"}] * 2}).encode()

    error = refused(raw)

    assert (error.record, error.field) == (1, "prediction_id")


@pytest.mark.parametrize(
    "timestamp",
    [
        "1899-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_an_event_time_out_of_all_bounds_is_refused(timestamp: str) -> None:
    assert refused(body(GOOD, timestamp=timestamp)).field == "timestamp"


def test_too_many_records_are_too_large() -> None:
    with pytest.raises(TooLargeError, match="at most 100 at once, got 101"):
        SIGNATURE.decode(body(*[GOOD] * 101), NOON)


def test_python_records_follow_the_same_rules() -> None:
    plain = GOOD | {"seen_at": NOON, "month": "12"}
    batch = SIGNATURE.convert([Record(features=plain, prediction_id="a", timestamp=NOON)], NOON)
    assert batch.columns["seen_at"] == [NOON]

    with pytest.raises(RecordError, match="distance in km: expected a number that is finite"):
        SIGNATURE.convert([Record(features=plain | {"distance in km": float("nan")})], NOON)


def test_ids_sort_by_time() -> None:
    early = new_id()
    assert len(early) == 32
    assert early[:10] <= new_id()[:10]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([*SCHEMA.names, "extra"]), json_values),
    json_values,
    json_values,
)
def test_whatever_comes_is_decoded_or_refused(
    features: Any, identifier: Any, timestamp: Any
) -> None:
    record = {"features": features, "prediction_id": identifier, "timestamp": timestamp}
    raw = json.dumps({"records": [record]}).encode()
    with contextlib.suppress(RecordError):
        assert set(SIGNATURE.decode(raw, NOON).columns) == set(SCHEMA.names)


@given(st.binary(max_size=60))
def test_whatever_bytes_come_are_decoded_or_refused(raw: bytes) -> None:
    with pytest.raises(RecordError):
        SIGNATURE.decode(raw, NOON)


@given(st.datetimes(), st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
def test_any_time_of_the_calendar_is_decoded_or_refused(
    moment: datetime, offset: timedelta
) -> None:
    minutes = int(offset.total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    text = f"{moment.isoformat()}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    try:
        batch = SIGNATURE.decode(body(GOOD | {"seen_at": text}, timestamp=text), NOON)
    except RecordError:
        return
    assert 1900 <= batch.timestamps[0].year < 2200
