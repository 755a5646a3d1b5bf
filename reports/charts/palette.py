"""The colours of the charts, and the CSS variables that stand for them on a page."""

from __future__ import annotations

from typing import Any

from monitor.model import CheckStatus

INK = "#1a2129"
MUTED = "#59646f"
GRID = "#e4e7eb"
PAPER = "#ffffff"
SERIES = "#1d5f9e"
CRITICAL = "#b42318"
WARNING = "#9d5200"
QUARANTINE = "#7a5ea8"

#: A page follows the reader's light or dark preference; a picture in a message cannot.
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    PAPER: "--paper",
    SERIES: "--series",
    CRITICAL: "--critical",
    WARNING: "--warning",
    QUARANTINE: "--quarantine",
}

STATUS = {
    CheckStatus.OK: SERIES,
    CheckStatus.WARNING: WARNING,
    CheckStatus.CRITICAL: CRITICAL,
    CheckStatus.INSUFFICIENT_DATA: MUTED,
    CheckStatus.FAILED: MUTED,
}

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def theme() -> dict[str, Any]:
    """Return the Vega-Lite configuration that every chart shares."""
    return {
        "aria": False,
        "background": "transparent",
        "font": FONT,
        # The reader's font may be wider than the one that was measured with.
        "padding": {"left": 2, "top": 2, "right": 18, "bottom": 2},
        "view": {"stroke": None},
        "axis": {
            "domain": False,
            "ticks": False,
            "gridColor": GRID,
            "labelColor": MUTED,
            "labelFontSize": 11,
            "labelPadding": 6,
            "titleColor": MUTED,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
        },
        "text": {"color": MUTED, "fontSize": 11},
    }
