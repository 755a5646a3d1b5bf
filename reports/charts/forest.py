"""The gain of a challenger with its interval, against zero."""

from __future__ import annotations

from html import escape

from reports import words
from reports.model import EvaluationView

_WIDTH, _HEIGHT = 480, 56


def forest_svg(found: EvaluationView) -> str:
    """Return the interval of the gain as a whisker; right of zero is better."""
    if found.difference is None or found.lower is None or found.upper is None:
        return ""
    low, high = min(found.lower, 0.0), max(found.upper, 0.0)
    room = (high - low or 1.0) * 0.12
    low, high = low - room, high + room

    def x(value: float) -> float:
        return round((value - low) / (high - low) * _WIDTH, 1)

    tone = "better" if found.lower > 0 else "worse" if found.upper < 0 else "unclear"
    alt = (
        f"Gain of the challenger {words.signed(found.difference)}, 95 % interval "
        f"{words.number(found.lower)} to {words.number(found.upper)}."
    )
    return (
        f'<svg class="forest {tone}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(alt)}">'
        f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="4" y2="{_HEIGHT - 16}"/>'
        f'<text x="{x(0)}" y="{_HEIGHT - 3}" text-anchor="middle">no change</text>'
        f'<line class="whisker" x1="{x(found.lower)}" x2="{x(found.upper)}" y1="20" y2="20"/>'
        f'<circle cx="{x(found.difference)}" cy="20" r="5"/></svg>'
    )
