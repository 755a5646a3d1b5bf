"""A bad afternoon: every kind of fault at random, and workers that are killed at any line.

Incidents of many models open, grow, are taken, put off, talked about and resolved at random, while
two workers deliver to the stand-in, are killed, and come back. In the end the outbox and what the
channels show must be the same, message by message. Prints what happened as JSON.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import func, select

from alerts import respond
from alerts.model import Incident
from alerts.notes import note, open_incidents
from alerts.observe import observe
from alerts.outbox import UNFINISHED
from alerts.rows import DeliveryRow, IncidentRow
from alerts.stand_in import Fault, FaultKind, StandIn
from monitor.model import CheckResult, CheckStatus, EvaluatedWindow, Family, Measurement, Threshold
from watchkeeper.database import make_engine, read, write
from watchkeeper.errors import ConflictError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window

FIRST = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MODELS = 60
#: How often each fault befalls a call, before or after the call took effect.
FAULTS = {
    FaultKind.DROP: 0.05,
    FaultKind.RESET: 0.05,
    FaultKind.STATUS: 0.05,
    FaultKind.HTML: 0.03,
    FaultKind.EMPTY: 0.03,
    FaultKind.TRUNCATED: 0.03,
    FaultKind.THROTTLE: 0.005,
    FaultKind.HANG: 0.003,
    FaultKind.REFUSE: 0.01,
}
REFUSALS = ("fatal_error", "internal_error", "service_unavailable", "request_timeout")
_PATIENCE = 180.0


class Bad:
    """Chooses the faults, by a seed, and counts them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"faults {seed}")
        self._lock = threading.Lock()
        self.done: collections.Counter[str] = collections.Counter()

    def choose(self, _method: str, _number: int) -> Fault | None:
        with self._lock:
            dice, after = self._random.random(), self._random.random() < 0.5
            status, error = self._random.choice([500, 502, 503, 504]), self._random.choice(REFUSALS)
            for kind, share in FAULTS.items():
                dice -= share
                if dice < 0:
                    after = after and kind is not FaultKind.THROTTLE
                    self.done[f"{kind} {'after' if after else 'before'}"] += 1
                    return Fault(kind=kind, after=after, status=status, error=error, seconds=1.3)
            return None


class Workers:
    """Two workers, and the hand that kills one of them now and then."""

    def __init__(self, url: str, base_url: str, seed: int) -> None:
        self._random = random.Random(f"kills {seed}")
        self._script = Path(__file__).with_name("chaos_worker.py")
        self._homes = [self._start(url, base_url, name) for name in ("one", "two")]
        self._living: dict[int, int] = {}
        self._stop = threading.Event()
        self.kills = 0
        self._threads = [threading.Thread(target=self._hear, args=(n,)) for n in (0, 1)]
        self._threads.append(threading.Thread(target=self._kill, daemon=True))
        for thread in self._threads:
            thread.start()

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(self._script), *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def _hear(self, number: int) -> None:
        stream = self._homes[number].stdout
        assert stream is not None
        for line in stream:
            self._living[number] = int(line)

    def _kill(self) -> None:
        while not self._stop.wait(self._random.expovariate(1 / 2)):
            number = self._random.choice((0, 1))
            pid = self._living.pop(number, None)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                self.kills += 1

    def stop_killing(self) -> None:
        self._stop.set()

    def end(self) -> None:
        self._stop.set()
        self._threads[-1].join()
        for home in self._homes:
            home.kill()
            home.wait()
        for thread in self._threads:
            thread.join()


@dataclass(kw_only=True)
class Life:
    """What happens to the models, at random; it keeps its own list of what must be told."""

    engine: Any
    seed: int
    days: dict[str, int] = field(default_factory=dict)
    told: dict[int, list[str]] = field(default_factory=dict)
    serial: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(f"life {self.seed}")
        self.models = {f"model{number:02d}": _settings(number) for number in range(MODELS)}
        self.ill: set[str] = set()

    def step(self) -> None:
        """Let one thing happen."""
        name = self.random.choice(list(self.models))
        dice = self.random.random()
        if name not in self.days or dice < 0.25:
            self._day(name)
        elif dice < 0.9:
            self._note(name)
        else:
            self._person(name, dice)

    def _day(self, name: str) -> None:
        number = self.days[name] = self.days.get(name, -1) + 1
        if self.random.random() < 0.3:
            self.ill ^= {name}
        window = _window(name, number, ill=name in self.ill)
        with write(self.engine) as session:
            observe(session, window, self.models[name], now=window.window.end)

    def _note(self, name: str) -> None:
        self.serial += 1
        text = f"Note {self.serial}."
        with write(self.engine) as session:
            for change in note(session, name, text, now=self._now(name)):
                if change.incident.standing.notified:
                    self.told.setdefault(change.incident.id, []).append(text)

    def _person(self, name: str, dice: float) -> None:
        with write(self.engine) as session:
            open_ones: list[Incident] = open_incidents(session, name)
            if not open_ones:
                return
            number, now = self.random.choice(open_ones).id, self._now(name)
            try:
                if dice < 0.95:
                    respond.acknowledge(session, number, "ada", now=now)
                else:
                    respond.snooze(session, number, "bob", now=now, until=now + DAY)
            except ConflictError:
                return

    def _now(self, name: str) -> datetime:
        return FIRST + (self.days[name] + 1) * DAY


def _settings(number: int) -> ModelSettings:
    owner = {"name": "Ada Byron", "slack": "U0ADA", "channel": f"C0CHAOS{number:02d}"}
    return ModelSettings.model_validate(
        {
            "model": f"model{number:02d}",
            "task": "binary",
            "owner": {**owner, "team": f"team{number}"},
            "timestamp": "at",
            "prediction": {"score": "score"},
            "label": {"column": "label", "delay": "1d"},
            "windows": {"size": "1d"},
            "tolerance": {"metric": "roc_auc", "drop": 0.02},
        }
    )


def _window(name: str, number: int, *, ill: bool) -> EvaluatedWindow:
    window = Window(start=FIRST + number * DAY, end=FIRST + (number + 1) * DAY)

    def result(family: Family, check: str, metric: str, column: str | None) -> CheckResult:
        effect = 2.0 + number % 7 if ill else 0.0
        return CheckResult(
            measurement=Measurement(
                model=name, version=1, metric=metric, window=window, value=effect, lower=0.1,
                upper=9.0, n_current=900, computed_at=window.end, column=column,
            ),
            threshold=Threshold(method="constant", upper=1.0),
            family=family,
            check=check,
            status=CheckStatus.CRITICAL if ill else CheckStatus.OK,
            reason=f"{metric} is {effect:.2f}",
            effect=effect,
        )  # fmt: skip

    results = (
        result(Family.PERFORMANCE, "performance", "roc_auc", None),
        result(Family.DATA_CONTRACT, "null_surge", "null_share", "age"),
    )
    return EvaluatedWindow(
        model=name, version=1, window=window, rows=1000, labels=900, labels_mature=True,
        evaluated_at=window.end, results=results,
    )  # fmt: skip


def run(url: str, *, seed: int, seconds: float, messages: int) -> dict[str, Any]:
    """Let it happen, wait until everything is delivered, and compare."""
    engine, bad = make_engine(url), Bad(seed)
    with StandIn() as slack:
        slack.faults.choose(bad.choose)
        workers = Workers(url, slack.base_url, seed)
        try:
            life = Life(engine=engine, seed=seed)
            began = time.monotonic()
            shown = 0
            while time.monotonic() < began + seconds or shown < messages:
                life.step()
                if life.serial % 20 == 0:
                    shown = sum(len(room.messages) for room in slack.workspace.rooms())
                    _let_them_catch_up(engine)
            lasted = time.monotonic() - began
            left = _drain(engine, workers)
            kills = workers.kills
        finally:
            workers.end()
        report = _compare(engine, slack, life)
    engine.dispose()
    return {
        "seed": seed, "database": url.partition(":")[0], "seconds": round(lasted, 1),
        "unfinished": left, "kills": kills, "calls": len(slack.calls),
        "faults": sum(bad.done.values()), "faults_by_kind": dict(sorted(bad.done.items())),
        **report,
    }  # fmt: skip


def _let_them_catch_up(engine: Any) -> None:
    """Order no more than the workers can deliver: a queue that only grows proves nothing."""
    while _waiting(engine) > 100:
        time.sleep(0.1)


def _waiting(engine: Any) -> int:
    with read(engine) as session:
        waiting = select(func.count()).where(DeliveryRow.state.in_(UNFINISHED))
        return int(session.scalar(waiting) or 0)


def _drain(engine: Any, workers: Workers) -> int:
    """Wait until nothing is under way; the faults and the kills go on for a while yet."""
    deadline = time.monotonic() + _PATIENCE
    while (left := _waiting(engine)) and time.monotonic() < deadline:
        if left < 20:
            workers.stop_killing()
        time.sleep(0.1)
    return left


def _compare(engine: Any, slack: StandIn, life: Life) -> dict[str, Any]:
    with read(engine) as session:
        rows = session.scalars(select(DeliveryRow).order_by(DeliveryRow.sequence)).all()
        incidents = {row.id: row for row in session.scalars(select(IncidentRow))}
    posts = [row for row in rows if row.kind != "update" and row.state != "superseded"]
    shown = [
        (room.id, message) for room in slack.workspace.rooms() for message in slack.visible(room.id)
    ]
    seen = collections.Counter(_first_id(slack, channel, message) for channel, message in shown)
    ours = {row.id for row in posts}
    return {
        "messages": len(shown),
        "incidents": len(incidents),
        "edits": sum(row.kind == "update" and row.state == "sent" for row in rows),
        "adopted": sum(row.adopted for row in rows),
        "lost": len(ours - seen.keys()),
        "repeated": sum(count - 1 for count in seen.values()),
        "strange": len(seen.keys() - ours),
        "misplaced": _misplaced(posts, shown),
        "stale": _stale(posts, shown, incidents),
        "notes_wrong": _notes_wrong(posts, slack, life),
        "states": dict(collections.Counter(row.state for row in rows)),
    }


def _first_id(slack: StandIn, channel: str, message: dict[str, Any]) -> str:
    """Return the name that a message was posted under; an edit gives it a name of its own."""
    first = [*slack.edits(channel, message["ts"]), message][0]
    return str(first["metadata"]["event_payload"]["delivery_id"])


def _misplaced(posts: list[DeliveryRow], shown: list[tuple[str, dict[str, Any]]]) -> int:
    """Count the rows of the ledger that do not name the place of a message."""
    places = {(channel, message["ts"]) for channel, message in shown}
    return sum((row.channel_id, row.ts) not in places for row in posts)


def _stale(
    posts: list[DeliveryRow], shown: list[tuple[str, dict[str, Any]]], incidents: dict[int, Any]
) -> int:
    """Count the root messages that do not show their incident as it stands."""
    by_place = {(channel, message["ts"]): message for channel, message in shown}
    stale = 0
    for row in posts:
        message = by_place.get((row.channel_id or "", row.ts or ""))
        if row.kind != "root" or message is None:
            continue
        state = incidents[row.incident_id].state
        stale += (state in {"resolved", "closed"}) != ("RESOLVED" in message["text"])
    return stale


def _notes_wrong(posts: list[DeliveryRow], slack: StandIn, life: Life) -> int:
    """Count the threads that do not tell what was told, each once and in order."""
    roots = {row.incident_id: row for row in posts if row.kind == "root"}
    wrong = 0
    for number, texts in life.told.items():
        root = roots[number]
        if root.ts is None:
            wrong += 1
            continue
        replies = slack.replies(root.channel_id or "", root.ts or "")
        # What left late says so, behind its own words.
        said = [each["text"].partition(" _delayed")[0] for each in replies]
        notes = [text for text in said if text.startswith("Note ")]
        wrong += notes != texts
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--messages", type=int, default=0)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    found = run(given.url, seed=given.seed, seconds=given.seconds, messages=given.messages)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
