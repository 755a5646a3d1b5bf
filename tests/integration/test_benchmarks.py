"""The benchmarks run; how fast they are is not a test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_comparison_runs_without_its_counterpart(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/compare.py", "--rows", "2000", "--json", facts],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "watchkeeper compare" in done.stdout
    (run,) = json.loads(facts.read_text())
    assert run["seconds"] > 0
    assert run["peak_gib"] > 0
    assert run["drifted"] >= 4


def test_the_profile_is_held_against_the_histograms(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    command = [sys.executable, ROOT / "benchmarks/profiles.py", "--rows", "5000", "--repeat", "1"]
    subprocess.run([*command, "--json", facts], capture_output=True, check=True, timeout=120)
    found = json.loads(facts.read_text())
    assert found["rows"] == 5000
    assert found["ratio"] == found["profile"] / found["limit"] > 0


def test_a_benchmark_that_does_not_exist_names_those_that_do() -> None:
    done = subprocess.run(
        [ROOT / "benchmarks/run", "speed"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "benchmarks/profiles.py" in done.stderr
