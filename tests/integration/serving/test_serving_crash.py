from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from service.server import bind
from serving.ship import ship
from serving.spool import Spool
from watchkeeper.client import Client

FEATURES: dict[str, Any] = {"distance": 700.0, "hour": 20, "carrier": "UA"}
#: At least so many, so many at a time; more until the last life has begun.
REQUESTS, BATCH = 1_000, 100
#: Seconds after which the last life is not waited for.
PATIENCE = 120
#: Where the lives of the server end.
DEATHS = [
    "Spool.append before 40",
    "Spool.append after 60",
    "Lake.append_predictions before 2",
    "Lake.append_predictions after 3",
    "Spool.acknowledge before 2",
    "killed amid its work",
]


@pytest.mark.crash
@pytest.mark.slow
def test_what_was_answered_is_logged_once_though_the_server_is_killed_again_and_again(
    house: Any, sqlite_url: str
) -> None:
    house.deploy(house.register())
    house.spool.close()
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()
    answered: Counter[str] = Counter()

    def ask(number: int) -> None:
        record = {"features": FEATURES, "prediction_id": f"r{number}"}
        (answer,) = client.predict("flights", [record])
        answered[answer["prediction_id"]] += 1

    script = Path(__file__).with_name("mortal_server.py")
    command = [sys.executable, script, house.home, sqlite_url, str(port), *DEATHS]
    deaths: list[str] = []
    asked = 0
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as server,
        Client(f"http://127.0.0.1:{port}", patience=120) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        assert server.stdout is not None
        reader = threading.Thread(target=_collect, args=(server.stdout, deaths), daemon=True)
        reader.start()
        # A slow machine answers many before the shipper has died of its third batch.
        deadline = time.monotonic() + PATIENCE
        while asked < REQUESTS or (len(deaths) < len(DEATHS) and time.monotonic() < deadline):
            for one in [pool.submit(ask, asked + number) for number in range(BATCH)]:
                one.result()
            asked += BATCH
        # A life that goes on without the process that began it would keep the output open.
        os.killpg(server.pid, signal.SIGKILL)
        reader.join()
    assert deaths == DEATHS

    house.spool = Spool(house.home / "spool", max_rows=10**6, max_bytes=10**9)
    ship(house.spool, house.lake, house.engine, now=house.clock.now())
    logged = Counter(row["prediction_id"] for row in house.logged())
    assert logged == answered == Counter(f"r{number}" for number in range(asked))


def _collect(lines: Iterable[str], found: list[str]) -> None:
    for line in lines:
        found.append(line.strip())  # noqa: PERF401 - they are counted as they come
