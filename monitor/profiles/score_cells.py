"""How many counts of scores there are, over all rows labelled or not, and how they are stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.performance import scores
from watchkeeper.schema import Task

Integers = NDArray[np.int64]

#: Equal bins of the probability of one class of several; a power of two, so that the bin of a
#: probability is the same in every engine.
CLASS_BINS = 64
#: With more classes than this their probabilities are not counted.
MAX_CLASSES = 32

_PLACE = np.dtype("<u2")
_COUNT = np.dtype("<i8")


def n_scores(task: Task, classes: int) -> int:
    """Return how many counts there are.

    Binary: rows by predicted class and bin of the score. Several classes: for each class, rows by
    whether it is the predicted one and by bin of its probability. Regression: none.

    Examples
    --------
    >>> n_scores(Task.MULTICLASS, 3)
    384
    """
    if task is Task.BINARY:
        return 2 * scores.BINS
    known = task is Task.MULTICLASS and classes <= MAX_CLASSES
    return 2 * CLASS_BINS * classes if known else 0


def pack(counts: Integers | None) -> bytes:
    """Return the counts that are not zero with their places; nothing for unknown ones.

    Examples
    --------
    >>> len(pack(np.array([0, 0, 7])))
    12
    >>> unpack(pack(np.array([0, 0, 7])), 3).tolist()
    [0, 0, 7]
    >>> unpack(b"", 3) is None
    True
    """
    if counts is None:
        return b""
    places = np.flatnonzero(counts)
    size = np.array([len(places)], dtype=_PLACE)
    return (
        size.tobytes() + places.astype(_PLACE).tobytes() + counts[places].astype(_COUNT).tobytes()
    )


def unpack(data: bytes, size: int) -> Integers | None:
    """Read what ``pack`` wrote into ``size`` counts."""
    if not data:
        return None
    (filled,) = np.frombuffer(data, dtype=_PLACE, count=1).tolist()
    head = _PLACE.itemsize
    counts = np.zeros(size, dtype=np.int64)
    places = np.frombuffer(data, dtype=_PLACE, offset=head, count=filled)
    counts[places] = np.frombuffer(data, dtype=_COUNT, offset=head + filled * head, count=filled)
    return counts
