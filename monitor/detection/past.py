"""The labelled past of a reference by unit of time, kept so that detectors can be fitted on it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np

from monitor.performance.outcomes import Outcomes
from watchkeeper.schema import Task
from watchkeeper.window import DAY, Window, window_at

#: The newest units are kept, at most so many.
_MOST_UNITS = 730


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """Outcomes of a reference by unit of time: its windows, or the days of longer ones.

    Parameters
    ----------
    units
        In order of time; per unit the outcomes of its pieces.
    """

    units: tuple[tuple[Outcomes, ...], ...]

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
        found: dict[Window | date, list[Outcomes]] = {}
        for start in sorted(tiles):
            if int(tiles[start].rows) > 0:
                day = start.astimezone(zone).date()
                unit = day if size > DAY else window_at(start, size, zone)
                found.setdefault(unit, []).append(tiles[start])
        units = list(found.values())[-_MOST_UNITS:]
        return cls(units=tuple(_merged(unit) for unit in units))

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
        }
        body = stacked.counts.astype("<i8").tobytes() + stacked.sums.astype("<f8").tobytes()
        return json.dumps(head).encode() + b"\n" + zlib.compress(body, 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote."""
        if not data:
            return cls(units=())
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
        return cls(units=tuple(tuple(found[a:b]) for a, b in pairwise(starts)))


def _merged(pieces: Sequence[Outcomes]) -> tuple[Outcomes, ...]:
    whole = pieces[0].task is Task.BINARY
    return (Outcomes.stack(pieces).total(),) if whole else tuple(pieces)
