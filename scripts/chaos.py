"""Run the chaos test of the deliveries for as long as asked; by default ten minutes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

TEST = "tests/integration/alerts/test_chaos.py"


def main() -> None:
    """Hand the arguments to the test, and become it."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="what goes wrong, and when")
    parser.add_argument(
        "--seconds", type=float, default=600, help="of both databases together (default: 600)"
    )
    parser.add_argument(
        "--messages",
        type=int,
        default=5000,
        help="on either database, before it may end",
    )
    given = parser.parse_args()
    environment = {**os.environ, "WATCHKEEPER_CHAOS": json.dumps(vars(given))}
    os.chdir(Path(__file__).parents[1])
    os.execve(sys.executable, [sys.executable, "-m", "pytest", "-q", TEST], environment)  # noqa: S606


if __name__ == "__main__":
    main()
