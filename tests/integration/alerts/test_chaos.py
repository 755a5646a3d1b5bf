from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: ``make chaos`` asks for a longer one; by default both databases together take half a minute.
ASKED = json.loads(os.environ.get("WATCHKEEPER_CHAOS", "{}"))
SEED = int(ASKED.get("seed", 7))
SECONDS = float(ASKED.get("seconds", 30.0)) / 2
#: A machine that has other things to do takes longer instead of proving less.
MESSAGES = max(int(ASKED.get("messages", 0)), 100)


@pytest.mark.crash
@pytest.mark.slow
def test_chaos_loses_nothing_and_repeats_nothing(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Path(__file__).with_name("chaos.py")
    asked = ["--seed", SEED, "--seconds", SECONDS, "--messages", MESSAGES]
    ended = subprocess.run(
        [sys.executable, script, database_url, *map(str, asked)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=20 * SECONDS + 600,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    if ASKED:
        with capsys.disabled():
            sys.stdout.write(f"\n{json.dumps(found, indent=1)}\n")

    wrong = ("unfinished", "lost", "repeated", "strange", "misplaced", "stale", "notes_wrong")
    assert {name: found[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert set(found["states"]) <= {"sent", "superseded"}
    assert found["messages"] >= MESSAGES
    assert found["kills"] >= 3
    assert found["adopted"] > 0
