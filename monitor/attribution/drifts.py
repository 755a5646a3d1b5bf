"""How far each column has moved, nulls included, beyond what windows usually differ by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.profiles.model import ColumnProfile, Profile
from monitor.reference import Reference
from monitor.statistics.psi import psi


def drifts(profile: Profile, reference: Reference) -> dict[str, float]:
    """Return the population stability index of each column in nats, less its expected noise.

    A cell for missing values stands beside the bins, for a source that stops is a drift of its
    columns. Without any change the index is about (cells − 1)·(1/n + 1/m), times the dispersion
    that the reference's windows showed; so much is taken off.
    """
    known = {column.name: column for column in reference.profile.columns()}
    found = {}
    for column in profile.columns():
        before, now = _cells(known[column.name]), _cells(column)
        used = (before > 0) | (now > 0)
        n, m = int(before.sum()), int(now.sum())
        if not n or not m:
            continue
        habit = reference.habits.get(column.name)
        wide = habit is not None and habit.variation.known
        inflation = habit.variation.inflation(n, m) if habit is not None and wide else 1.0
        noise = inflation * (int(used.sum()) - 1) * (1 / n + 1 / m)
        found[column.name] = max(psi(before[used], now[used]) - noise, 0.0)
    return found


def _cells(column: ColumnProfile) -> NDArray[np.int64]:
    return np.append(column.counts, column.null + column.nan)
