"""A profile: what is known of one model version's rows in a stretch of time, made to be merged."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from monitor.performance.outcomes import Outcomes, n_counts, n_sums
from monitor.profiles.layout import KEY_BYTES, SPECIAL, Layout
from monitor.profiles.quality_counts import ColumnQuality, QualityCounts
from monitor.profiles.score_cells import n_scores, pack, unpack
from monitor.profiles.segments import Segment, grouped
from monitor.profiles.segments import pack as segments_in_bytes
from monitor.profiles.segments import unpack as segments_of_bytes
from watchkeeper.schema import ColumnKind

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

MOMENTS = ("total", "total_of_squares", "minimum", "maximum")

_MAGIC = b"wp1"
#: Counts are stored in the narrowest of these that holds them; the place is stored with them.
_WIDTHS: tuple[np.dtype[Any], ...] = (
    np.dtype("u1"),
    np.dtype("<u2"),
    np.dtype("<u4"),
    np.dtype("<i8"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """The ends of one column of a profile, and its values: all that many tiles are asked for."""

    minimum: float | None
    maximum: float | None
    values: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnProfile:
    """One column of a profile.

    Parameters
    ----------
    counts
        Rows per bin of the reference, shape ``(bins,)``; the last bin is open: for categories it
        holds those that are not listed.
    null, nan, infinite
        Rows without a value, with NaN, with either infinity; in no bin.
    under, over
        Rows below the least and above the greatest value of the reference; in a bin as well.
    far
        Those of them that are farther away than the reference is wide.
    zeros
        Rows that are exactly zero; in a bin as well.
    rows
        All rows.
    total, total_of_squares, minimum, maximum
        Over the finite values; None for the last two without any.
    quality
        What the checks of data quality need; None where it was not counted.
    """

    name: str
    kind: ColumnKind
    counts: Integers
    null: int
    nan: int
    infinite: int
    under: int
    over: int
    far: int
    zeros: int
    rows: int
    total: float
    total_of_squares: float
    minimum: float | None
    maximum: float | None
    quality: ColumnQuality | None = None
    _values: int | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def values(self) -> int:
        """Rows with a value that can be compared: finite, or any category."""
        # Each check asks for it several times.
        if self._values is None:
            object.__setattr__(self, "_values", int(self.counts.sum()))
        return self._values or 0

    @property
    def unseen(self) -> int:
        """Rows with a category that is not listed; 0 for other kinds."""
        return int(self.counts[-1]) if self.kind is ColumnKind.CATEGORICAL else 0

    @property
    def null_share(self) -> float:
        """Share of rows that are null or NaN; 0 without rows."""
        return (self.null + self.nan) / self.rows if self.rows else 0.0

    @property
    def mean(self) -> float | None:
        """Mean of the finite values; None without any."""
        return self.total / self.values if self.minimum is not None else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the finite values (divided by n); None without any."""
        if self.mean is None:
            return None
        return math.sqrt(max(self.total_of_squares / self.values - self.mean**2, 0.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """Counts and sums over rows of one model version.

    Merging adds the counts, so it is exact, associative and commutative; sums are added without
    intermediate rounding, so the order of the profiles within one merge does not matter either
    (merges of merges agree to within rounding, 1e-9 of the sum of absolute values).

    Parameters
    ----------
    rows, duplicates
        Rows counted, and rows left out because their prediction_id had been seen before.
    cells
        For each column the counts named in ``SPECIAL``, then those of its bins; shape
        ``(layout.cells,)``.
    moments
        Shape ``(4, columns)`` in the order of ``MOMENTS``; infinities where there is no value.
    outcomes
        Counts and sums over the rows that have a label.
    scores
        Rows by predicted class and score, labelled or not (``score_counts.n_scores``); None where
        they were not counted.
    quality
        What the checks of data quality need; None where it was not counted.
    segments
        Profiles of the rows of each segment that has any; they have no segments themselves.
    """

    layout: Layout
    rows: int
    duplicates: int
    cells: Integers
    moments: Floats
    outcomes: Outcomes
    scores: Integers | None = None
    quality: QualityCounts | None = None
    segments: Mapping[Segment, Profile] = field(default_factory=dict)
    _columns: list[ColumnProfile] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @classmethod
    def empty(cls, layout: Layout) -> Self:
        """Return the profile of no rows."""
        moments = np.zeros((len(MOMENTS), len(layout.columns)))
        moments[2], moments[3] = np.inf, -np.inf
        return cls(
            layout=layout,
            rows=0,
            duplicates=0,
            cells=np.zeros(layout.cells, dtype=np.int64),
            moments=moments,
            outcomes=Outcomes.empty(layout.task, layout.known_classes, own=layout.own),
            scores=np.zeros(n_scores(layout.task, layout.known_classes), dtype=np.int64),
            quality=QualityCounts.empty(len(layout.columns)),
        )

    @classmethod
    def merge(cls, profiles: Iterable[Profile], layout: Layout) -> Self:
        """Return the profile of all rows of disjoint profiles.

        Raises
        ------
        ValueError
            A profile was counted on another layout.
        """
        parts: list[Profile] = [cls.empty(layout), *profiles]
        if any(part.layout != layout for part in parts):
            raise ValueError("profiles that were counted on different bins cannot be merged")
        outcomes = [part.outcomes for part in parts]
        return cls(
            layout=layout,
            rows=sum(part.rows for part in parts),
            duplicates=sum(part.duplicates for part in parts),
            cells=np.sum([part.cells for part in parts], axis=0),
            moments=_merge_moments([part.moments for part in parts]),
            outcomes=Outcomes(
                task=layout.task,
                counts=np.sum([outcome.counts for outcome in outcomes], axis=0),
                sums=_exact_sum([outcome.sums for outcome in outcomes]),
                classes=layout.known_classes,
            ),
            scores=_merge_scores([part.scores for part in parts]),
            quality=QualityCounts.merge([part.quality for part in parts], len(layout.columns)),
            segments={
                segment: cls.merge(own, layout)
                for segment, own in grouped(part.segments for part in parts).items()
            },
        )

    @property
    def labels(self) -> int:
        """Rows that have a label."""
        return int(self.outcomes.rows)

    def column(self, name: str) -> ColumnProfile:
        """Return one column.

        Raises
        ------
        KeyError
            The profile has no such column.
        """
        start = 0
        for index, column in enumerate(self.layout.columns):
            width = len(SPECIAL) + column.bins
            if column.name == name:
                return self._column(index, self.cells[start : start + width])
            start += width
        raise KeyError(name)

    def columns(self) -> list[ColumnProfile]:
        """Return all columns, in the order of the layout."""
        # The reference is asked for them in every evaluation, a window by every check.
        if self._columns is None:
            starts = self._starts()
            found = [
                self._column(index, self.cells[start:end])
                for index, (start, end) in enumerate(pairwise(starts))
            ]
            object.__setattr__(self, "_columns", found)
        return list(self._columns or ())

    def extents(self) -> list[Extent]:
        """Return the ends of all columns, in the order of the layout; much faster than all."""
        upto = np.concatenate([[0], np.cumsum(self.cells)])
        starts = np.array(self._starts(), dtype=np.int64)
        values = upto[starts[1:]] - upto[starts[:-1] + len(SPECIAL)]
        lows, highs = self.moments[2:].tolist()
        return [
            Extent(
                minimum=low if math.isfinite(low) else None,
                maximum=high if math.isfinite(high) else None,
                values=rows,
            )
            for low, high, rows in zip(lows, highs, values.tolist(), strict=True)
        ]

    def to_bytes(self) -> bytes:
        """Return a compact form that ``from_bytes`` reads with the same layout."""
        counts = np.concatenate(
            [[self.rows, self.duplicates], self.cells, self.outcomes.counts]
        ).astype(np.int64)
        largest = int(counts.max())
        code = next(i for i, width in enumerate(_WIDTHS) if largest < 256**width.itemsize)
        floats = np.concatenate([self.moments.ravel(), self.outcomes.sums])
        body = counts.astype(_WIDTHS[code]).tobytes() + floats.astype("<f8").tobytes()
        body += pack(self.scores)
        head = _MAGIC + bytes([code]) + self.layout.key()
        quality = b"" if self.quality is None else self.quality.to_bytes()
        segments = segments_in_bytes({key: p.to_bytes() for key, p in self.segments.items()})
        return head + zlib.compress(body, 6) + quality + segments

    @classmethod
    def from_bytes(cls, data: bytes, layout: Layout) -> Self:
        """Read what ``to_bytes`` wrote.

        Raises
        ------
        ValueError
            The bytes are no profile, or one that was counted on another layout.
        """
        head = len(_MAGIC) + 1 + KEY_BYTES
        if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) + 1 : head] != layout.key():
            raise ValueError("the stored profile was counted on different bins")
        width = _WIDTHS[data[len(_MAGIC)]]
        body, rest = inflate(data[head:])
        quality, segments = inflate(rest)
        size = 2 + layout.cells + n_counts(layout.task, layout.known_classes)
        counts = np.frombuffer(body, dtype=width, count=size).astype(np.int64)
        moments = len(MOMENTS) * len(layout.columns)
        start = size * width.itemsize
        n_floats = moments + n_sums(layout.task, own=layout.own)
        floats = np.frombuffer(body, dtype="<f8", offset=start, count=n_floats)
        return cls(
            layout=layout,
            rows=int(counts[0]),
            duplicates=int(counts[1]),
            cells=counts[2 : 2 + layout.cells],
            moments=floats[:moments].reshape(len(MOMENTS), -1),
            outcomes=Outcomes(
                task=layout.task,
                counts=counts[2 + layout.cells :],
                sums=floats[moments:],
                classes=layout.known_classes,
            ),
            scores=unpack(
                body[start + floats.nbytes :], n_scores(layout.task, layout.known_classes)
            ),
            quality=QualityCounts.from_bytes(quality, len(layout.columns)) if quality else None,
            segments={
                key: cls.from_bytes(part, layout)
                for key, part in segments_of_bytes(segments).items()
            },
        )

    @staticmethod
    def is_counted_on(data: bytes, layout: Layout) -> bool:
        """Whether ``from_bytes`` reads these bytes with this layout."""
        head = len(_MAGIC) + 1
        return data[: len(_MAGIC)] == _MAGIC and data[head : head + KEY_BYTES] == layout.key()

    def _starts(self) -> list[int]:
        """Return where the cells of each column begin, and where the last ones end."""
        widths = (len(SPECIAL) + column.bins for column in self.layout.columns)
        return list(accumulate(widths, initial=0))

    def _column(self, index: int, cells: Integers) -> ColumnProfile:
        column = self.layout.columns[index]
        special = dict(zip(SPECIAL, cells[: len(SPECIAL)].tolist(), strict=True))
        total, squares, low, high = self.moments[:, index].tolist()
        return ColumnProfile(
            name=column.name,
            kind=column.kind,
            counts=cells[len(SPECIAL) :],
            rows=self.rows,
            total=total,
            total_of_squares=squares,
            minimum=low if math.isfinite(low) else None,
            maximum=high if math.isfinite(high) else None,
            quality=None if self.quality is None else self.quality.column(index),
            **special,
        )


def inflate(data: bytes) -> tuple[bytes, bytes]:
    """Return the first compressed part of ``data``, and what comes after it; nothing of nothing."""
    if not data:
        return b"", b""
    reader = zlib.decompressobj()
    return reader.decompress(data), reader.unused_data


def _merge_moments(parts: Sequence[Floats]) -> Floats:
    stacked = np.stack(parts)
    sums = _exact_sum([part[:2].ravel() for part in parts]).reshape(2, -1)
    return np.vstack([sums, stacked[:, 2].min(axis=0), stacked[:, 3].max(axis=0)])


def _merge_scores(parts: Sequence[Integers | None]) -> Integers | None:
    known = [part for part in parts if part is not None]
    return np.sum(known, axis=0) if len(known) == len(parts) else None


def _exact_sum(vectors: Sequence[Floats]) -> Floats:
    if not all(np.isfinite(vector).all() for vector in vectors):
        return np.asarray(np.sum(vectors, axis=0))
    columns = zip(*(vector.tolist() for vector in vectors), strict=True)
    return np.array([math.fsum(column) for column in columns])
