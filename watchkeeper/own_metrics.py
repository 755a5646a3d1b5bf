"""Metrics of the owner's own: what each outcome is worth, or what a function says of each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from watchkeeper.business_value import CostMatrix
from watchkeeper.metric_function import MetricFunction


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnMetrics:
    """What the metrics of the owner's own are made from; None for those that there are not."""

    value: CostMatrix | None = None
    function: MetricFunction | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return them as plain JSON types."""
        function = self.function
        return {
            "value": None if self.value is None else self.value.model_dump(),
            "function": None
            if function is None
            else {
                "metric": function.metric,
                "home": str(function.home),
                "higher_is_better": function.higher_is_better,
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote, now or before there were such metrics."""
        value, function = data.get("value"), data.get("function")
        return cls(
            value=None if value is None else CostMatrix(**value),
            function=None
            if function is None
            else MetricFunction(**(function | {"home": Path(function["home"])})),
        )


#: Of an owner who has none.
NONE = OwnMetrics()
