"""What a measurement is about, carried once instead of in every call."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from monitor.model import Measurement
from watchkeeper.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One window of one model version, as it is evaluated now."""

    model: str
    version: int
    window: Window
    now: datetime
    reference_id: int | None = None

    def measurement(
        self,
        metric: str,
        value: float | None,
        *,
        n_current: int,
        n_reference: int = 0,
        column: str | None = None,
        p_value: float | None = None,
        lower: float | None = None,
        upper: float | None = None,
    ) -> Measurement:
        """Return a measurement of this window; numbers that are not finite become None."""
        return Measurement(
            model=self.model,
            version=self.version,
            metric=metric,
            window=self.window,
            column=column,
            reference_id=self.reference_id,
            value=_finite(value),
            p_value=_finite(p_value),
            lower=_finite(lower),
            upper=_finite(upper),
            n_reference=n_reference,
            n_current=n_current,
            computed_at=self.now,
        )


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
