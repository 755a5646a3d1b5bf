"""The table of checks: adding one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable

from monitor.quality.duplicates import duplicates
from monitor.quality.missing_partition import missing_partition
from monitor.quality.model import Finding, Pair, Whole
from monitor.quality.null_surge import null_surge
from monitor.quality.out_of_range import infinite_values, out_of_range
from monitor.quality.precision_loss import precision_loss
from monitor.quality.schema import schema
from monitor.quality.stale import stale
from monitor.quality.swapped import swapped
from monitor.quality.type_change import type_change
from monitor.quality.unit_change import unit_change
from monitor.quality.unseen_category import unseen_category

COLUMN_CHECKS: tuple[Callable[[Pair], Finding | None], ...] = (
    schema,
    null_surge,
    type_change,
    unseen_category,
    unit_change,
    out_of_range,
    precision_loss,
    stale,
)
#: What a prediction can be as little as a feature; all else of it is drift, or performance.
OUTPUT_CHECKS: tuple[Callable[[Pair], Finding | None], ...] = (null_surge, infinite_values)
WHOLE_CHECKS: tuple[Callable[[Whole], list[Finding]], ...] = (
    swapped,
    duplicates,
    missing_partition,
)
