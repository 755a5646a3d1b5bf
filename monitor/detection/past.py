"""The labelled past of a reference by unit of time, kept so that detectors can be fitted on it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np

from monitor.performance.outcomes import Outcomes
from watchkeeper.schema import Task
from watchkeeper.window import DAY, Window, window_at

#: The newest units are kept, at most so many.
_MOST_UNITS = 730
#: With fewer units nothing is known of how windows vary, and nothing pages.
MINIMUM_UNITS = 8
#: A reference of fewer windows is cut into parts of them.
_PARTS = (1, 2, 4, 8, 24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """Outcomes of a reference by unit of time: its windows, or the days of longer ones.

    Parameters
    ----------
    units
        In order of time; per unit the outcomes of its pieces.
    length
        Of a unit; a part of a window where the reference has few windows.
    """

    units: tuple[tuple[Outcomes, ...], ...]
    length: timedelta

    @classmethod
    def of(cls, tiles: Mapping[datetime, Outcomes], size: timedelta, zone: ZoneInfo) -> Self:
        """Return the past of a reference.

        The score counts of a unit of a binary model are kept as one; numbers and classes are
        small, and are kept tile by tile.

        Parameters
        ----------
        tiles
            Outcomes by the start of their tile, or of a longer piece of at most a unit.
        size, zone
            Of the windows.
        """
        labelled = {start: tiles[start] for start in sorted(tiles) if int(tiles[start].rows) > 0}
        longest = min(size, DAY)
        for parts in _PARTS:
            length = longest / parts
            found: dict[Window, list[Outcomes]] = {}
            if DAY % length == timedelta(0):
                for start, outcomes in labelled.items():
                    found.setdefault(window_at(start, length, zone), []).append(outcomes)
            if len(found) >= MINIMUM_UNITS:
                units = list(found.values())[-_MOST_UNITS:]
                return cls(units=tuple(_merged(unit) for unit in units), length=length)
        return cls(units=(), length=longest)

    def to_bytes(self) -> bytes:
        """Return a compact form that ``from_bytes`` reads."""
        pieces = [piece for unit in self.units for piece in unit]
        if not pieces:
            return b""
        stacked = Outcomes.stack(pieces)
        head = {
            "task": str(stacked.task),
            "classes": stacked.classes,
            "units": [len(unit) for unit in self.units],
            "length": self.length.total_seconds(),
        }
        body = stacked.counts.astype("<i8").tobytes() + stacked.sums.astype("<f8").tobytes()
        return json.dumps(head).encode() + b"\n" + zlib.compress(body, 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Past:
        """Read what ``to_bytes`` wrote."""
        if not data:
            return NOTHING
        line, _, packed = data.partition(b"\n")
        head, body = json.loads(line), zlib.decompress(packed)
        task, classes, lengths = Task(head["task"]), head["classes"], head["units"]
        pieces = sum(lengths)
        one = Outcomes.empty(task, classes)
        end = 8 * pieces * one.counts.size
        counts = np.frombuffer(body[:end], dtype="<i8").astype(np.int64).reshape(pieces, -1)
        sums = np.frombuffer(body[end:], dtype="<f8").astype(np.float64).reshape(pieces, -1)
        found = [
            Outcomes(task=task, counts=counts[i], sums=sums[i], classes=classes)
            for i in range(pieces)
        ]
        starts = np.cumsum([0, *lengths])
        units = tuple(tuple(found[a:b]) for a, b in pairwise(starts))
        return cls(units=units, length=timedelta(seconds=head["length"]))


#: The past of a reference of which none was kept.
NOTHING = Past(units=(), length=DAY)


def _merged(pieces: Sequence[Outcomes]) -> tuple[Outcomes, ...]:
    whole = pieces[0].task is Task.BINARY
    return (Outcomes.stack(pieces).total(),) if whole else tuple(pieces)
