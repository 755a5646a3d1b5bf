"""The usual changes of unit: by which factor and offset values change."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.edges import Values

#: A factor nearer to one than this is not told from a change of the world by levels alone: from
#: summer to autumn a temperature in °C halves, and a windy day has four times the wind.
NEAR_ONE = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """A usual change of unit: ``current = reference * factor + offset``."""

    name: str
    factor: float
    offset: float = 0.0

    def apply(self, values: Values) -> Values:
        """Convert from the reference's unit."""
        return values * self.factor + self.offset

    @property
    def is_near_one(self) -> bool:
        """Whether its factor is one that the world may change by as well."""
        return 1 / NEAR_ONE < abs(self.factor) < NEAR_ONE

    def undo(self, values: Values) -> Values:
        """Convert back to the reference's unit."""
        return (values - self.offset) / self.factor


def _both_ways(first: str, second: str, factor: float, offset: float = 0.0) -> list[Conversion]:
    there = f"×{factor:g}" + (f" {_signed(offset)}" if offset else "")
    back = (f"{_signed(-offset)}, " if offset else "") + f"÷{factor:g}"
    return [
        Conversion(name=f"{first} → {second} ({there})", factor=factor, offset=offset),
        Conversion(name=f"{second} → {first} ({back})", factor=1 / factor, offset=-offset / factor),
    ]


def _signed(offset: float) -> str:
    return f"{'+' if offset > 0 else '−'} {abs(offset):g}"


def _scales() -> list[Conversion]:
    factors = (10, 100, 1_000, 10_000, 1_000_000, 1_000_000_000, 60, 3_600, 24, 1_024)
    up = [Conversion(name=f"×{factor:,}", factor=factor) for factor in factors]
    down = [Conversion(name=f"÷{factor:,}", factor=1 / factor) for factor in factors]
    return [*up, *down, Conversion(name="sign changed (×−1)", factor=-1)]


CONVERSIONS: tuple[Conversion, ...] = (
    *_scales(),
    *_both_ways("°C", "°F", 1.8, 32),
    *_both_ways("°C", "K", 1, 273.15),
    *_both_ways("K", "°F", 1.8, -459.67),
    *_both_ways("miles", "km", 1.609344),
    *_both_ways("feet", "m", 0.3048),
    *_both_ways("inches", "cm", 2.54),
    *_both_ways("inches", "mm", 25.4),
    *_both_ways("lb", "kg", 0.45359237),
    *_both_ways("m/s", "km/h", 3.6),
    *_both_ways("mph", "m/s", 0.44704),
    *_both_ways("knots", "m/s", 0.514444),
    *_both_ways("knots", "km/h", 1.852),
    *_both_ways("hPa", "inHg", 0.0295299831),
    *_both_ways("gallons", "litres", 3.785412),
    *_both_ways("degrees", "radians", math.pi / 180),
)
