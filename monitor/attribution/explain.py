"""Explain a change of the mean loss between two samples of labelled rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.attribution.columns import importances, rank
from monitor.attribution.losses import Rows, loss_for
from monitor.attribution.model import Attribution, JointDrift, SegmentChange, ShiftSplit
from monitor.attribution.segments import changes, segments_of
from monitor.attribution.shift import split
from monitor.domain_classifier import domain_auc
from monitor.edges import ColumnBins
from monitor.encoding import Encoded, encode
from monitor.profiles.bins import PREDICTED, SCORE, ProfileBins
from monitor.profiles.outcome_counts import TRUTH
from monitor.samples import Sample
from watchkeeper.schema import ColumnKind, Task

Floats = NDArray[np.float64]

#: With fewer labelled rows on either side nothing is said.
MINIMUM_ROWS = 100
#: Segments that are kept: those with most beyond their share.
_MOST_SEGMENTS = 12
#: A segment stands out when its excess is at least so many standard errors.
_STANDS_OUT = 2.0
#: Columns that are named of those by which rows can be told apart.
_MOST_COLUMNS = 5
#: Features that the split into kinds of shift looks at, beside the prediction.
_DECISIVE = 5


def explain(
    reference: Sample,
    current: Sample,
    bins: ProfileBins,
    metric: str,
    drift: Mapping[str, float],
    *,
    weights: Mapping[str, float] | None = None,
) -> Attribution | None:
    """Explain a loss from a sample of the reference and one of now; None with too few labels.

    Parameters
    ----------
    metric
        The one that the loss is to stand for.
    drift
        By column: change of its distribution beyond what is usual, in nats.
    weights
        What ``weigh`` said of the reference, where that is known already.
    """
    before, now = _labelled(reference.rows), _labelled(current.rows)
    if min(len(before), len(now)) < MINIMUM_ROWS:
        return None
    sides = _rows_of(before, bins), _rows_of(now, bins)
    loss = loss_for(metric, bins.task, sides[0])
    losses = loss.of(sides[0]), loss.of(sides[1])
    features = {name: each for name, each in bins.columns.items() if name not in _OUTPUTS}
    encoded = encode(before, now, {name: each.kind for name, each in features.items()})
    segments = _segments(before, now, features, losses)
    known = weigh(reference, bins, metric) if weights is None else weights
    importance = np.array([known.get(name, 0.0) for name in encoded.names])
    decisive = _decisive(encoded, importance, sides, bins.task)
    domain = domain_auc(decisive, importances=False, coarse=True)
    shift: ShiftSplit | None = None
    if domain is not None:
        shift = split(losses, domain.chances, domain.auc)
    return Attribution(
        loss=loss.kind,
        reference=float(losses[0].mean()),
        current=float(losses[1].mean()),
        n_reference=len(before),
        n_current=len(now),
        of_reference=reference.of_rows,
        of_current=current.of_rows,
        segments=tuple(_outstanding(segments)),
        columns=tuple(rank(encoded.names, importance, drift)),
        shift=shift,
        joint=_joint(encoded),
    )


def weigh(reference: Sample, bins: ProfileBins, metric: str) -> dict[str, float]:
    """Return how much each feature matters to the loss of the reference; empty with few labels.

    It takes most of the time of an explanation and is the same for every window of the reference.
    """
    known = _labelled(reference.rows)
    if len(known) < MINIMUM_ROWS:
        return {}
    rows = _rows_of(known, bins)
    kinds = {name: each.kind for name, each in bins.columns.items() if name not in _OUTPUTS}
    encoded = encode(known, known, kinds)
    loss = loss_for(metric, bins.task, rows)
    found = importances(encoded.reference, encoded.categorical, rows, loss)
    return dict(zip(encoded.names, found.tolist(), strict=True))


_OUTPUTS = (PREDICTED, SCORE)


def _joint(encoded: Encoded) -> JointDrift | None:
    found = domain_auc(encoded)
    if found is None:
        return None
    return JointDrift(
        auc=found.auc,
        lower=found.lower,
        upper=found.upper,
        p_value=found.p_value,
        columns=found.importances[:_MOST_COLUMNS],
    )


def _decisive(encoded: Encoded, weights: Floats, sides: tuple[Rows, Rows], task: Task) -> Encoded:
    """Return what the model makes of the features, and those that matter most to it.

    A classifier that may read everything knows each day by its weather; then no two days have
    anything in common, and nothing could be said of the labels of like rows.
    """
    kept = np.argsort(-weights, kind="stable")[:_DECISIVE].tolist()
    known = task is Task.BINARY and not np.isnan(sides[0].score).any()
    said = [each.score if known else each.said for each in sides]
    return Encoded(
        reference=np.column_stack([encoded.reference[:, kept], said[0]]),
        current=np.column_stack([encoded.current[:, kept], said[1]]),
        names=(*(encoded.names[k] for k in kept), PREDICTED),
        categorical=(*(encoded.categorical[k] for k in kept), False),
    )


def _labelled(rows: pa.Table) -> pa.Table:
    if TRUTH not in rows.column_names:
        return rows.slice(0, 0)
    known = rows.filter(rows.column(TRUTH).is_valid())
    return known.filter(known.column(PREDICTED).is_valid())


def _rows_of(rows: pa.Table, bins: ProfileBins) -> Rows:
    n = len(rows)
    if bins.task is Task.MULTICLASS:
        number = {name: float(index) for index, name in enumerate(bins.classes)}
        truth, said = (
            np.array([number.get(str(v), -1.0) for v in rows.column(name).to_pylist()])
            for name in (TRUTH, PREDICTED)
        )
        return Rows(truth=truth, said=said, score=_of_truth(rows, truth))
    truth, said = (_numbers(rows.column(name)) for name in (TRUTH, PREDICTED))
    score = np.full(n, np.nan)
    if bins.task is Task.BINARY and SCORE in rows.column_names:
        score = _numbers(rows.column(SCORE))
    return Rows(truth=truth, said=said, score=score)


def _of_truth(rows: pa.Table, truth: Any) -> Any:
    found = np.full(len(rows), np.nan)
    if SCORE in rows.column_names:
        for index, chances in enumerate(rows.column(SCORE).to_pylist()):
            place = int(truth[index])
            if chances is not None and 0 <= place < len(chances):
                found[index] = chances[place]
    return found


def _numbers(column: Any) -> Any:
    values = column.cast(pa.float64(), safe=False).to_numpy()
    return np.asarray(values, dtype=np.float64)


def _segments(
    before: pa.Table, now: pa.Table, features: Mapping[str, ColumnBins], losses: tuple[Any, Any]
) -> list[SegmentChange]:
    found: list[SegmentChange] = []
    for name, bins in features.items():
        there = name in before.column_names and name in now.column_names
        if there and bins.kind in (ColumnKind.CATEGORICAL, ColumnKind.NUMERICAL):
            names, sides = segments_of(before.column(name), now.column(name), bins)
            found += changes(name, names, sides, losses)
    return found


def _outstanding(segments: list[SegmentChange]) -> list[SegmentChange]:
    kept = [each for each in segments if each.excess > _STANDS_OUT * each.error]
    kept.sort(key=lambda each: (-each.excess, each.column, each.segment))
    return kept[:_MOST_SEGMENTS]
