"""The pictures of the pages on methods, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drawings import attribution, distances, estimation, performance, quality, windows
from drawings.picture import Picture

ALL: Mapping[str, Callable[[], Picture]] = {
    "distances": distances.shifts,
    "p-values": distances.null_rates,
    "natural-variation": windows.natural_variation,
    "references": windows.references,
    "intervals": performance.intervals,
    "evidence": performance.evidence,
    "delays": performance.delays,
    "nulls": quality.nulls,
    "units": quality.units,
    "estimate": estimation.estimate,
    "shift": attribution.shift,
    "many-columns": distances.many_columns,
}
