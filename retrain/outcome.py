"""How a training process says what became of it: one small file, written as a whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

OUTCOME_FILE = "outcome.json"
SAVED = "saved"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the training process says.

    Parameters
    ----------
    status
        ``saved``, or the reason of a `TrainingError`.
    detail
        The artifact's format, or one line for the reader.
    """

    status: str
    detail: str


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write the outcome into the run's folder."""
    content = json.dumps({"status": outcome.status, "detail": outcome.detail})
    incoming = folder / f"{OUTCOME_FILE}.incoming"
    incoming.write_text(content, encoding="utf-8")
    incoming.replace(folder / OUTCOME_FILE)


def read_outcome(folder: Path) -> Outcome | None:
    """Return the outcome; None when the process ended without one."""
    path = folder / OUTCOME_FILE
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Outcome(status=str(data["status"]), detail=str(data["detail"]))
    except (ValueError, KeyError, TypeError):
        return None
