"""Expressions that count labelled rows, and the way back from their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np

from monitor.performance import scores
from monitor.performance.outcomes import CLIP, OWN_SUMS, SUMS, Outcomes
from monitor.profiles.bins import PREDICTED, SCORE
from monitor.profiles.functions import histogram_exact, value_counts
from monitor.profiles.layout import Layout
from watchkeeper.schema import Task

TRUTH = "y_true"
#: What a function of the owner's says of a row, and how much that weighs; null without a label.
OWN_VALUE, OWN_WEIGHT = "own value", "own weight"


def outcome_aggregates(rows: ibis.Table, layout: Layout) -> dict[str, Any]:
    """Return the aggregates over rows with a label, by name.

    Parameters
    ----------
    rows
        With ``y_true`` (null: no label), ``y_pred`` and, where the model gives them,
        ``y_pred_proba``.
    """
    own = _own(rows) if layout.own and OWN_VALUE in rows.columns else {}
    if layout.task is Task.BINARY:
        return _binary(rows) | own
    if layout.task is Task.MULTICLASS:
        return _multiclass(rows, layout) | own
    return _regression(rows) | own


def read_outcomes(row: Mapping[str, Any], layout: Layout) -> Outcomes:
    """Make outcomes of one row of results."""
    if layout.task is Task.BINARY:
        counts = _dense(row["o_confusion"], 4)
        grid = _dense(row["o_grid"], 2 * scores.BINS)
        counted = np.concatenate([counts, grid])
    elif layout.task is Task.MULTICLASS:
        counted = np.concatenate(
            [_by_class(row, part, layout.classes) for part in ("truth", "guess", "agree")]
        )
    else:
        counted = np.array([row["o_rows"]], dtype=np.int64)
    sums = [row[f"o_{name}"] or 0.0 for name in SUMS[layout.task]]
    if layout.own:
        sums += [row.get(f"o_{name}") or 0.0 for name in OWN_SUMS]
    return Outcomes(
        task=layout.task,
        counts=counted,
        sums=np.array(sums, dtype=np.float64),
        classes=layout.known_classes,
    )


def _binary(rows: ibis.Table) -> dict[str, Any]:
    truth, guess = rows[TRUTH].cast("int64"), rows[PREDICTED].cast("int64")
    probability = _score(rows).nullif(float("nan"))
    known = truth.notnull() & probability.between(0.0, 1.0)
    given = known.ifelse((truth == 1).ifelse(probability, 1.0 - probability), ibis.null("float64"))
    loss = _logarithmic_loss(given)
    brier = (1.0 - given) * (1.0 - given)
    grid = known.ifelse(truth * scores.BINS + score_bin(probability), ibis.null("int64"))
    return {
        "o_confusion": value_counts(2 * truth + guess),
        "o_grid": value_counts(grid),
        "o_scored": given.count().cast("float64"),
        "o_log_loss": loss.sum(),
        "o_log_loss_squared": (loss * loss).sum(),
        "o_brier": brier.sum(),
        "o_brier_squared": (brier * brier).sum(),
    }


def _score(rows: ibis.Table) -> Any:
    return rows[SCORE].cast("float64") if SCORE in rows.columns else ibis.null("float64")


def score_bin(score: Any) -> Any:
    """Return the bin on the fixed grid; the same arithmetic as ``scores.bin_of``."""
    high = scores.TAIL_BINS + scores.MIDDLE_BINS
    bin_number = ibis.cases(
        (score < scores.TAIL, (score / scores.TAIL_STEP).floor()),
        (score < 1 - scores.TAIL, ((score - scores.TAIL) / scores.STEP).floor() + scores.TAIL_BINS),
        else_=((score - (1 - scores.TAIL)) / scores.TAIL_STEP).floor() + high,
    )
    return ibis.least(bin_number.cast("int64"), scores.BINS - 1)


def _logarithmic_loss(given: Any) -> Any:
    # Not by greatest() and least(): engines disagree on what those make of null.
    return -(given < CLIP).ifelse(CLIP, (given > 1.0).ifelse(1.0, given)).ln()


def _multiclass(rows: ibis.Table, layout: Layout) -> dict[str, Any]:
    truth, guess = rows[TRUTH].cast("string"), rows[PREDICTED].cast("string")
    labelled = truth.notnull()
    # A column of nulls where there are no scores: a bare null could not be aggregated.
    given: Any = truth.nullif(truth).cast("float64")
    if SCORE in rows.columns:
        # A class that the model gives no score to has none of the chance.
        first = rows[SCORE][0].cast("float64").nullif(float("nan"))
        none = (labelled & first.notnull()).ifelse(0.0, ibis.null("float64"))
        chances = [
            (truth == name, ibis.coalesce(rows[SCORE][i].cast("float64"), none))
            for i, name in enumerate(layout.classes)
        ]
        given = ibis.cases(*chances, else_=none).nullif(float("nan"))
    loss = _logarithmic_loss(given)
    parts = {
        "truth": truth,
        "guess": labelled.ifelse(guess, ibis.null("string")),
        "agree": (truth == guess).ifelse(truth, ibis.null("string")),
    }
    counted = {}
    for name, part in parts.items():
        counted[f"o_{name}"] = histogram_exact(part, list(layout.classes))
        counted[f"o_{name}_rows"] = part.count()
    return counted | {
        "o_scored": loss.count().cast("float64"),
        "o_log_loss": loss.sum(),
        "o_log_loss_squared": (loss * loss).sum(),
    }


def _by_class(row: Mapping[str, Any], part: str, classes: tuple[str, ...]) -> Any:
    found = dict(row[f"o_{part}"] or ())
    known = [found.get(name, 0) for name in classes]
    # Rows agree on a class that nobody knows only by accident: the model cannot predict it.
    other = 0 if part == "agree" else row[f"o_{part}_rows"] - sum(known)
    return np.array([*known, other], dtype=np.int64)


def _regression(rows: ibis.Table) -> dict[str, Any]:
    truth, guess = rows[TRUTH].cast("float64"), rows[PREDICTED].cast("float64")
    error = (truth - guess).abs()
    relative = error / ibis.greatest(truth.abs(), CLIP)
    square = error * error
    known = error.notnull()
    return {
        "o_rows": error.count(),
        "o_absolute": error.sum(),
        "o_squared": square.sum(),
        "o_fourth": (square * square).sum(),
        "o_relative": relative.sum(),
        "o_relative_squared": (relative * relative).sum(),
        "o_label": truth.sum(where=known),
        "o_label_squared": (truth * truth).sum(where=known),
    }


def _own(rows: ibis.Table) -> dict[str, Any]:
    value, weight = rows[OWN_VALUE], rows[OWN_WEIGHT]
    summed = (value, weight, value * value, value * weight, weight * weight)
    return {f"o_{name}": each.sum() for name, each in zip(OWN_SUMS, summed, strict=True)}


def _dense(found: Any, size: int) -> Any:
    counts = np.zeros(size, dtype=np.int64)
    for index, rows in found or ():
        counts[index] = rows
    return counts
