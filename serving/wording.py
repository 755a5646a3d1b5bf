"""Say in plain words what is wrong with a request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from watchkeeper.errors import RecordError
from watchkeeper.schema import Column, ColumnKind, FeatureSchema

_PLAIN = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
    "datetime": "a date and time",
}
_WANTED = {
    ColumnKind.NUMERICAL: "a number",
    ColumnKind.CATEGORICAL: "text",
    ColumnKind.DATETIME: "a date and time such as 2013-06-01T12:00:00Z",
    ColumnKind.TEXT: "text",
}
_FEATURE = "features."


class RecordsError(RecordError):
    """Several records of a request are wrong; it speaks for the first and holds them all."""

    def __init__(self, errors: Sequence[RecordError]) -> None:
        first = errors[0]
        super().__init__(first.problem, record=first.record, field=first.field)
        self.errors = tuple(errors)


def explain(message: str, schema: FeatureSchema, *, record: int | None, key: str) -> RecordError:
    """Turn a decoder's message into an error that names the field and what was expected.

    Parameters
    ----------
    message
        What msgspec says, with the path below the record.
    record
        Position of the record; None when the request as a whole is wrong.
    key
        Where the records stand in the request.
    """
    if record is not None:
        key = ""
    text, _, path = message.partition(" - at ")
    field = path.strip("`").removeprefix("$").removeprefix(".")
    if not message.startswith(("Expected", "Object", "Number", "Invalid")):
        return RecordError(f"expected JSON text in UTF-8 ({_detail(text)})", record=record)
    named = re.match(r"Object (missing required|contains unknown) field `(.*)`", text, re.DOTALL)
    if named is not None:
        place = ".".join(part for part in (field, named[2]) if part)
        if named[1].startswith("missing"):
            return RecordError(
                f"missing; expected {_wanted(place, schema, key)}", record=record, field=place
            )
        return RecordError(_unknown(place, schema), record=record, field=place[:200])
    return RecordError(
        f"expected {_wanted(field, schema, key)}{_got(text)}", record=record, field=field or None
    )


def _detail(text: str) -> str:
    return "nested too deeply" if "recursion" in text else "malformed, or cut off"


def _unknown(place: str, schema: FeatureSchema) -> str:
    if place.startswith(_FEATURE):
        return f"unknown; expected only {', '.join(schema.names[:30])}"
    return "unknown; expected no such field"


def _got(text: str) -> str:
    if text.startswith("Number") or "<=" in text or ">=" in text:
        return " that is finite, within ±3.4e38" if "length" not in text else _length(text)
    if "matching regex" in text:
        return " without the character NUL" if "x00" in text else ""
    got = re.search(r"got `(\w+)`", text)
    return f", got {_PLAIN.get(got[1], got[1])}" if got else ""


def _length(text: str) -> str:
    limit = re.search(r"length (<=|>=) (\d+)", text)
    if limit is None:
        return ""
    return f" of at {'most' if limit[1] == '<=' else 'least'} {limit[2]} characters"


def _wanted(field: str, schema: FeatureSchema, key: str) -> str:
    if field.startswith(_FEATURE):
        name = field.removeprefix(_FEATURE)
        column = next((column for column in schema.columns if column.name == name), None)
        return _value(column) if column else "a value"
    if not field:
        return f"an object with {key!r}" if key else "an object"
    return {
        "features": "an object with the model's features",
        "prediction_id": "1 to 128 letters, digits or any of _.:/@+=~-",
        "timestamp": _WANTED[ColumnKind.DATETIME],
        "labelled_at": _WANTED[ColumnKind.DATETIME],
        "version": "the number of a version",
        key: "a list",
    }.get(field, "a value of another kind")


def _value(column: Column) -> str:
    return f"{_WANTED[column.kind]}{' or null' if column.nullable else ''}"
