"""A shipper for the crash test: appends numbered batches, and notes each one only afterwards.

Arguments: lake, writer's name, number of batches, file for the notes, and optionally the number
of a batch after whose commit it waits to be killed before it notes anything.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from watchkeeper.lake import Lake
from watchkeeper.lake.columns import INSTANT

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
ROWS = 5


def batch(writer: str, number: int) -> pa.Table:
    return pa.table(
        {
            "prediction_id": [f"{writer}-{number}-{row}" for row in range(ROWS)],
            "y_true": pa.array([row % 2 for row in range(ROWS)], pa.int64()),
            "labelled_at": pa.array([NOON] * ROWS, INSTANT),
            "received_at": pa.array([NOON] * ROWS, INSTANT),
        }
    )


def main() -> None:
    root, writer, batches, notes, *wait_after = sys.argv[1:]
    lake, noted = Lake(root), Path(notes)
    done = int(noted.read_text()) if noted.exists() else 0
    for number in range(done + 1, int(batches) + 1):
        lake.append_labels("flights", batch(writer, number), writer=writer, sequence=number)
        if [str(number)] == wait_after:
            Path(f"{notes}.committed").touch()
            time.sleep(60)
        noted.with_suffix(".new").write_text(str(number))
        noted.with_suffix(".new").replace(noted)


if __name__ == "__main__":
    main()
