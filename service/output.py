"""Results for machines: JSON to a file or to standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from watchkeeper.errors import TableError


def write_json(result: Any, target: Path) -> None:
    """Write ``result`` to ``target``; ``-`` is standard output.

    Raises
    ------
    TableError
        The file cannot be written.
    """
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if str(target) == "-":
        sys.stdout.write(text)
        return
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise TableError(f"cannot be written: {exc.strerror}", table=str(target)) from exc
