"""Charts: one specification gives the page's SVG and the message's PNG, with words for both."""

from __future__ import annotations

from reports.charts.contribution import contribution_svg
from reports.charts.forest import forest_svg
from reports.charts.maturity import maturity_alt, maturity_svg
from reports.charts.small import histogram_svg, sparkline_svg
from reports.charts.strip import strip_svg
from reports.charts.timeline import timeline_alt, timeline_png, timeline_svg

__all__ = [
    "contribution_svg",
    "forest_svg",
    "histogram_svg",
    "maturity_alt",
    "maturity_svg",
    "sparkline_svg",
    "strip_svg",
    "timeline_alt",
    "timeline_png",
    "timeline_svg",
]
