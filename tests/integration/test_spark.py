"""Spark counts the same rows as DuckDB does, to the last one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JAVA = f"{os.environ['JAVA_HOME']}/bin/java" if os.environ.get("JAVA_HOME") else "java"


@pytest.mark.skipif(not shutil.which(JAVA), reason="Spark needs a Java, which is not here")
def test_spark_profiles_the_same_rows_alike() -> None:
    """In an environment of its own, which is made once: Spark is 400 MB that nothing else needs."""
    run = subprocess.run(
        [ROOT / "tests" / "engines" / "run"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-4000:]
    told = [line for line in run.stdout.splitlines() if line.startswith("spark: ")]
    assert told == [f"spark: {task}: the same" for task in ("binary", "multiclass", "regression")]
