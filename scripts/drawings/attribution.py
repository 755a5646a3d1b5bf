"""Pictures of where a loss comes from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.special import expit

from drawings.picture import Picture, bars, percent, sized
from monitor.attribution.explain import explain
from monitor.attribution.model import PARTS, Attribution
from monitor.edges import fit_bins
from monitor.profiles.bins import ProfileBins
from monitor.samples import sample_of_table
from reports.charts.palette import CRITICAL, QUARANTINE, SERIES
from watchkeeper.schema import Column, ColumnKind, Task

_ROWS = 3000
_NAMES = dict(zip(PARTS, ("harder known rows", "other labels", "unseen rows"), strict=True))
_COLUMNS = [
    Column(name="wind", kind=ColumnKind.NUMERICAL),
    Column(name="carrier", kind=ColumnKind.CATEGORICAL),
]
_CASES = {
    "labels flipped (20 %)": {"flip": 0.2},
    "calm days only": {"narrow": 0.45},
    "wind never seen": {"centre": 4.0, "kink": 3.0},
}


def shift() -> Picture:
    """Three losses, split into harder rows, other labels and unseen rows."""
    reference = _flights(0)
    bins = ProfileBins(columns=fit_bins(reference, _COLUMNS), task=Task.BINARY, classes=("0", "1"))
    rows, named = [], []
    for number, (case, how) in enumerate(_CASES.items(), start=1):
        samples = sample_of_table(reference), sample_of_table(_flights(number, **how))
        found = explain(*samples, bins, "log_loss", {})
        assert found is not None  # noqa: S101
        assert found.shift is not None  # noqa: S101
        named.append(f"{case}: {_share(found, found.shift.largest)}")
        for part in PARTS:
            value = getattr(found.shift, part).value
            rows.append(
                {"group": case, "name": _NAMES[part], "value": value, "text": f"{value:+.2f}"}
            )
    colours = dict(zip(_NAMES.values(), (SERIES, CRITICAL, QUARANTINE), strict=True))
    chart = bars(rows, title="part of the rise of log loss", colours=colours, order=list(_CASES))
    largest = "; ".join(named)
    return Picture(
        chart=sized(chart),
        finding=f"Three simulated losses of one model, each by its kind of shift. {largest}.",
    )


def _share(found: Attribution, part: str) -> str:
    value = getattr(found.shift, part).value
    return f"{percent(min(value / found.change, 1.0))} {_NAMES[part]}"


def _flights(
    seed: int,
    *,
    flip: float = 0.0,
    narrow: float = 1.0,
    centre: float = 0.0,
    kink: float = np.inf,
) -> pa.Table:
    generator = np.random.default_rng(seed)
    wind = centre + narrow * generator.normal(0, 1, _ROWS)
    carrier = generator.choice(np.array(["AA", "B6", "UA"], dtype=object), _ROWS)
    # Beyond the kink the world no longer follows the line that the model has learned.
    truth = generator.random(_ROWS) < expit(2 * np.minimum(wind, kink) * np.sign(kink - wind))
    truth ^= generator.random(_ROWS) < flip
    score = expit(2 * wind)
    return pa.table(
        {
            "wind": wind,
            "carrier": pa.array(carrier, pa.string()),
            "y_pred": (score >= 0.5).astype(np.int64),
            "y_pred_proba": score,
            "y_true": truth.astype(np.int64),
        }
    )
