"""Writes the next migration: what the tables in the code have, and the migrations do not yet."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

from watchkeeper.database import make_engine
from watchkeeper.migrations import differences, generate, upgrade

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Write the migration, named after the words given; write nothing when nothing has changed."""
    for package in sorted(ROOT.glob("*/__init__.py")):
        for path in package.parent.rglob("repository.py"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{folder}/schema.db")
        upgrade(engine)
        written = generate(engine, " ".join(sys.argv[1:])) if differences(engine) else None
        engine.dispose()
    sys.stdout.write(f"{written or 'nothing has changed'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
