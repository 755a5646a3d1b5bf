"""What the demo was asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The arguments of ``watchkeeper demo``.

    Parameters
    ----------
    home
        Folder of the demo's project; made anew by each run.
    once
        Leave when the replay is over, instead of keeping the pages up.
    browser
        Whether the page is opened in a browser at the end.
    json_file
        Where the facts are written for machines; ``-`` is standard output.
    port
        Port of the pages; None takes 8000, or a free one when that is taken.
    """

    home: Path
    once: bool = False
    browser: bool = True
    json_file: Path | None = None
    port: int | None = None
