"""Bars for parts of a loss, with their intervals, on one scale for all of them."""

from __future__ import annotations

from html import escape

from reports import words
from reports.model import Bar

_WIDTH, _HEIGHT = 320, 18


def contribution_svg(bar: Bar, bars: tuple[Bar, ...]) -> str:
    """Return one bar on the scale of all; what makes things better reaches to the left of zero."""
    ends = [end for each in bars for end in (each.value, each.lower, each.upper) if end is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = (high - low) or 1.0

    def x(value: float) -> float:
        return round((value - low) / room * _WIDTH, 1)

    left, right = sorted((x(0), x(bar.value)))
    tone = "worse" if bar.value > 0 else "better"
    marks = [
        f'<rect class="{tone}" x="{left}" y="3" width="{max(right - left, 1):.1f}" height="12"/>',
        f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="0" y2="{_HEIGHT}"/>',
    ]
    if bar.lower is not None and bar.upper is not None:
        marks.append(
            f'<line class="whisker" x1="{x(bar.lower)}" x2="{x(bar.upper)}" y1="9" y2="9"/>'
        )
    return (
        f'<svg class="contribution" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(contribution_alt(bar))}">{"".join(marks)}</svg>'
    )


def contribution_alt(bar: Bar) -> str:
    """Say what one part adds, and between which bounds."""
    said = f"{bar.name} adds {words.signed(bar.value)}"
    if bar.lower is None or bar.upper is None:
        return f"{said}."
    return f"{said}, 95 % interval {words.signed(bar.lower)} to {words.signed(bar.upper)}."
