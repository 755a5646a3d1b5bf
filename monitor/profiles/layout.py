"""The layout of profiles: which columns they count, on how many bins, and in which order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from watchkeeper.schema import ColumnKind, Task

#: Counts that every column has before those of its bins.
SPECIAL = ("null", "nan", "infinite", "under", "over", "far", "zeros")
KEY_BYTES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnLayout:
    """One column of a profile and the number of its bins."""

    name: str
    kind: ColumnKind
    bins: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What the profiles of one reference count, and in which order.

    Parameters
    ----------
    columns
        Features, then the model's output.
    edges_key
        Fingerprint of the bin edges; profiles on different edges must never be merged.
    own
        Whether what a function of the owner's says of the rows is summed, too.
    """

    columns: tuple[ColumnLayout, ...]
    task: Task
    classes: tuple[str, ...]
    edges_key: str
    own: bool = False
    _key: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def cells(self) -> int:
        """Length of the vector of counts of all columns."""
        return sum(len(SPECIAL) + column.bins for column in self.columns)

    @property
    def known_classes(self) -> int:
        """Number of classes that outcomes are counted by."""
        return len(self.classes) if self.task is Task.MULTICLASS else 0

    def key(self) -> bytes:
        """Return the fingerprint by which a stored profile names its layout."""
        if self._key is None:
            written = json.dumps(self.to_dict(), sort_keys=True).encode()
            object.__setattr__(self, "_key", hashlib.sha256(written).digest()[:KEY_BYTES])
        return self._key or b""

    def to_dict(self) -> dict[str, Any]:
        """Return the layout as plain JSON types."""
        return {
            "columns": [[column.name, str(column.kind), column.bins] for column in self.columns],
            "task": str(self.task),
            "classes": list(self.classes),
            "edges_key": self.edges_key,
            # Layouts without it keep the fingerprint that they had before there was one.
            **({"own": True} if self.own else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            columns=tuple(
                ColumnLayout(name=name, kind=ColumnKind(kind), bins=bins)
                for name, kind, bins in data["columns"]
            ),
            task=Task(data["task"]),
            classes=tuple(data["classes"]),
            edges_key=data["edges_key"],
            own=data.get("own", False),
        )
