"""A project that ``init`` wrote, run by ``up`` in a process of its own, and treated badly."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import deltalake
import pytest

from watchkeeper import Client

WATCHKEEPER = Path(sys.executable).with_name("watchkeeper")
ENVIRON = {k: v for k, v in os.environ.items() if not k.startswith("WATCHKEEPER_")}
ENVIRON["WATCHKEEPER_SPOOL__FLUSH"] = "1s"
START = 180


@dataclass(frozen=True)
class Up:
    """A running ``watchkeeper up``."""

    process: subprocess.Popen[str]
    url: str
    home: Path

    def client(self) -> Client:
        token = (self.home / "state" / "admin-token").read_text().strip()
        return Client(self.url, token=token, patience=0.0)


def watchkeeper(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WATCHKEEPER, *map(str, arguments)],
        env=ENVIRON, capture_output=True, text=True, timeout=START, check=False, **more,
    )  # fmt: skip


@contextmanager
def up(home: Path) -> Iterator[Up]:
    process = subprocess.Popen(
        [WATCHKEEPER, "up", "--home", home, "--port", "0"],
        env=ENVIRON, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"watchkeeper is at (http://\S+)", line):
                yield Up(process=process, url=found[1], home=home)
                return
        raise AssertionError("".join(said))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose first version is trained; it was ended as a person would end it."""
    home = tmp_path_factory.mktemp("up") / "project"
    assert watchkeeper("init", home).returncode == 0
    with up(home) as running:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(3) == 0
    return home


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "project"))


def record(number: int) -> dict[str, Any]:
    return {
        "prediction_id": f"loan-{number}",
        "features": {
            "car_value": 20000 + number,
            "debt_to_income_ratio": 0.4,
            "loan_length": 5,
            "repaid_loan_on_prev_car": "True",
            "driver_tenure": 4.0,
            "salary_range": "20K - 40K €",
            "size_of_downpayment": "10%",
        },
    }


def post(
    running: Up, path: str, body: Any, *, token: str | None = None
) -> tuple[int, dict[str, Any]]:
    host = running.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    token = token or (running.home / "state" / "admin-token").read_text().strip()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    connection.request("POST", path, content, headers)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    return answer.status, said


def logged(home: Path) -> list[str]:
    tables = sorted((home / "lake" / "predictions" / "example").glob("*/_delta_log"))
    ids: list[str] = []
    for table in tables:
        frame = deltalake.DeltaTable(str(table.parent)).to_pandas(columns=["prediction_id"])
        ids.extend(frame["prediction_id"])
    return ids


def wait_for(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_what_was_answered_reaches_the_lake_once_also_after_kill_9(home: Path) -> None:
    with up(home) as running:
        with running.client() as client:
            for number in range(20):
                client.predict("example", [record(number)])
        running.process.kill()
    with up(home) as running:
        with running.client() as client:
            client.predict("example", [record(20)])
        wait_for(lambda: len(logged(home)) >= 21)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(3) == 0

    assert sorted(logged(home)) == sorted(f"loan-{number}" for number in range(21))


def test_a_taken_port_is_one_clear_line(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = watchkeeper("up", "--home", home, "--port", port)

    assert refused.returncode == 1
    assert refused.stderr.strip().startswith(f"watchkeeper: port {port} on 127.0.0.1 is taken")


def test_what_is_refused_says_why_and_the_rest_goes_on(home: Path) -> None:
    whole, broken = record(1), record(2)
    broken["features"].pop("car_value")
    with up(home) as running:
        second = watchkeeper("up", "--home", home, "--port", 0)
        unknown = post(running, "/v1/models/nobody/predict", {"records": [whole]})
        missing = post(running, "/v1/models/example/predict", {"records": [whole, broken]})
        stranger = post(running, "/v1/models/example/predict", {"records": [whole]}, token="wrong")
        answered, _ = post(running, "/v1/models/example/predict", {"records": [whole]})

    assert second.returncode == 1
    assert str(running.process.pid) in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
    assert unknown[0] == 404
    assert "nobody" in unknown[1]["detail"]
    assert missing[0] == 422
    named = missing[1]["errors"][0]
    assert (named["record"], named["field"]) == (1, "features.car_value")
    assert stranger[0] == 401
    assert answered == 200


def test_an_altered_artifact_is_refused_by_its_hash(home: Path) -> None:
    model = next(path for path in (home / "artifacts").rglob("*") if path.name.startswith("model."))
    model.chmod(0o644)
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    with up(home) as running:
        status, _ = post(running, "/v1/models/example/predict", {"records": [record(1)]})
        host = running.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request("GET", "/ready")
        ready = connection.getresponse()
        said = ready.read().decode()
        connection.close()

    assert status in {404, 503}
    assert ready.status == 503
    assert model.name in said


def test_a_project_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "watchkeeper.yaml").write_text("server: {port: 0}\n")
    refused = watchkeeper("up", "--home", tmp_path)

    assert refused.returncode == 1
    assert "watchkeeper init" in refused.stderr
