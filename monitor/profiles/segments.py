"""Profiles of segments, kept in one piece with the profile of the whole that they are parts of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TypeVar

#: A categorical column and one of its values.
Segment = tuple[str, str]

_LENGTH = 4
T = TypeVar("T")


def segment_name(segment: Segment) -> str:
    """Return how a segment is called.

    Examples
    --------
    >>> segment_name(("carrier", "UA"))
    'carrier=UA'
    """
    return "=".join(segment)


def grouped(parts: Iterable[Mapping[Segment, T]]) -> dict[Segment, list[T]]:
    """Return the parts of each segment, the segments in order.

    Examples
    --------
    >>> grouped([{("a", "x"): 1}, {("a", "x"): 2, ("a", "b"): 3}])
    {('a', 'b'): [3], ('a', 'x'): [1, 2]}
    """
    found: dict[Segment, list[T]] = {}
    for part in parts:
        for segment, value in part.items():
            found.setdefault(segment, []).append(value)
    return dict(sorted(found.items()))


def pack(segments: Mapping[Segment, bytes]) -> bytes:
    """Return the stored profiles of segments in one piece; nothing for none.

    Examples
    --------
    >>> unpack(pack({("carrier", "UA"): b"rows"}))
    {('carrier', 'UA'): b'rows'}
    """
    if not segments:
        return b""
    head = json.dumps([[*segment, len(data)] for segment, data in segments.items()]).encode()
    return len(head).to_bytes(_LENGTH, "little") + head + b"".join(segments.values())


def unpack(data: bytes) -> dict[Segment, bytes]:
    """Read what ``pack`` wrote."""
    if not data:
        return {}
    start = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    found = {}
    for column, value, length in json.loads(data[_LENGTH:start]):
        found[column, value] = data[start : start + length]
        start += length
    return found
