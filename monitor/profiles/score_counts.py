"""Expressions that count what a classifier said of all rows, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
from numpy.typing import NDArray

from monitor.performance import scores
from monitor.profiles.bins import PREDICTED, SCORE
from monitor.profiles.functions import value_counts
from monitor.profiles.layout import Layout
from monitor.profiles.outcome_counts import score_bin
from monitor.profiles.score_cells import CLASS_BINS, n_scores
from watchkeeper.schema import Task


def score_aggregates(rows: ibis.Table, layout: Layout) -> dict[str, Any]:
    """Return the aggregates over all rows, by name; none where the model gives no scores."""
    if SCORE not in rows.columns or not n_scores(layout.task, layout.known_classes):
        return {}
    if layout.task is Task.BINARY:
        score, guess = rows[SCORE].cast("float64"), rows[PREDICTED].cast("int64")
        known = _is_probability(score) & guess.between(0, 1)
        return {"s0": _counts(known, guess * scores.BINS + score_bin(score))}
    found = {}
    for index, name in enumerate(layout.classes):
        score = rows[SCORE][index].cast("float64")
        guessed = (rows[PREDICTED].cast("string") == name).cast("int64")
        place = (score * CLASS_BINS).floor().cast("int64")
        place = guessed * CLASS_BINS + ibis.least(place, CLASS_BINS - 1)
        found[f"s{index}"] = _counts(_is_probability(score), place)
    return found


def read_scores(row: Mapping[str, Any], layout: Layout) -> NDArray[np.int64]:
    """Make the counts of one row of results."""
    counts = np.zeros(n_scores(layout.task, layout.known_classes), dtype=np.int64)
    parts = max(layout.known_classes, 1)
    width = len(counts) // parts
    for part in range(parts):
        for place, rows in row.get(f"s{part}") or ():
            counts[part * width + place] = rows
    return counts


def _is_probability(score: Any) -> Any:
    return score.nullif(float("nan")).between(0.0, 1.0)


def _counts(known: Any, place: Any) -> Any:
    return value_counts(known.ifelse(place, ibis.null("int64")))
