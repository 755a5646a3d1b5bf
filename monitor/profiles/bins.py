"""The bins that all profiles of one reference are counted on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from monitor.edges import ColumnBins
from monitor.profiles.layout import ColumnLayout, Layout
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

#: The columns of the prediction log that hold the model's output.
SCORE = "y_pred_proba"
PREDICTED = "y_pred"
#: Segments of one column that are profiled by themselves, and the rows that each has at least.
MAX_SEGMENTS = 20
SEGMENT_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class ProfileBins:
    """The bins of every feature and of the model's output.

    Parameters
    ----------
    columns
        By name, in the order of the profile: features, then the output.
    classes
        As in the signature.
    segments
        Values of categorical columns whose rows are also profiled by themselves, by column.
    function
        The metric of the owner's own that is summed, ``file.py:function``; None where none is.

    Examples
    --------
    >>> bins = ProfileBins(
    ...     columns={"x": ColumnBins(kind=ColumnKind.NUMERICAL, edges=(0.0, 1.0))},
    ...     task=Task.REGRESSION)
    >>> bins.layout.cells
    10
    """

    columns: Mapping[str, ColumnBins]
    task: Task
    classes: tuple[str, ...] = ()
    segments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    function: str | None = None

    def __hash__(self) -> int:
        return hash(self.layout.edges_key)

    @cached_property
    def layout(self) -> Layout:
        """The shape of profiles that are counted on these bins."""
        return Layout(
            columns=tuple(
                ColumnLayout(name=name, kind=bins.kind, bins=bins.n_bins)
                for name, bins in self.columns.items()
            ),
            task=self.task,
            classes=self.classes,
            edges_key=hashlib.sha256(json.dumps(self.to_dict()).encode()).hexdigest()[:16],
            own=self.function is not None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the bins as plain JSON types."""
        named = [[name, list(values)] for name, values in self.segments.items()]
        return {
            "columns": [[name, bins.to_dict()] for name, bins in self.columns.items()],
            "task": str(self.task),
            "classes": list(self.classes),
            # Bins without segments keep the fingerprint that they had before there were any.
            **({"segments": named} if named else {}),
            **({"function": self.function} if self.function else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            columns={name: ColumnBins.from_dict(bins) for name, bins in data["columns"]},
            task=Task(data["task"]),
            classes=tuple(data["classes"]),
            segments={name: tuple(values) for name, values in data.get("segments", ())},
            function=data.get("function"),
        )


def top_values(bins: ColumnBins) -> tuple[str, ...]:
    """Return the categories that the reference has most rows of, and enough of them.

    Examples
    --------
    >>> top_values(ColumnBins(kind=ColumnKind.CATEGORICAL, categories=("a", "b"),
    ...                       spacings=(900, 5, 0)))
    ('a',)
    """
    counted = zip(bins.categories, bins.spacings, strict=False)
    enough = [(rows, name) for name, rows in counted if rows >= SEGMENT_ROWS]
    ranked = sorted(enough, key=lambda pair: (-pair[0], pair[1]))
    return tuple(name for _, name in ranked[:MAX_SEGMENTS])


def output_column(schema: FeatureSchema, *, scored: bool) -> Column:
    """Return the column of the model's output that is watched like a feature.

    Parameters
    ----------
    scored
        Whether a binary model gives probabilities.

    Examples
    --------
    >>> schema = FeatureSchema(columns=(), target="y", task=Task.REGRESSION)
    >>> output_column(schema, scored=False).name
    'y_pred'
    """
    if schema.task is Task.BINARY and scored:
        return Column(name=SCORE, kind=ColumnKind.NUMERICAL)
    if schema.task is Task.REGRESSION:
        return Column(name=PREDICTED, kind=ColumnKind.NUMERICAL)
    return Column(name=PREDICTED, kind=ColumnKind.CATEGORICAL, categories=schema.classes)
