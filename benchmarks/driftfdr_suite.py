"""Finds drifting models in driftfdr's simulated fleets, beside its best method on the same streams.

Its suite has 100 fleets of 100 autocorrelated loss streams that move together; in most, ten models
become worse, at once or slowly. Cases with fresh seeds are added. An event is found when its model
first alarms within 1,000 steps; every other alarm is false. Run it with
`make bench ARGS=driftfdr_suite`; driftfdr's bootstrap takes most of an hour.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from monitor.detection.behind import Track, advance, behind_fleet
from watchkeeper.model_rules import AlarmBudget, Alerts

PEER = Path(__file__).parent / "peers/driftfdr/suite.py"
#: A detection later than this is none, as in driftfdr's own tables.
IN_TIME = 1_000
#: The default budget, one page a quarter, with windows of a day.
RUN = 90 / AlarmBudget().pages

Streams = NDArray[np.float64]
Alarms = list[tuple[int, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One method on one fleet: events, those found, alarms, and windows of all its models."""

    events: int
    found: int
    alarms: int
    windows: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where there is no event."""
        if not self.events:
            return float("nan")
        return 2 * self.found / (self.events + self.alarms)

    @property
    def false_per_thousand(self) -> float:
        """False alarms per 1,000 windows of a model."""
        return 1_000 * (self.alarms - self.found) / self.windows


def watchkeeper(streams: Streams, reference: int, window: int) -> Alarms:
    """Run the fleet detector with the default budget and hysteresis, window by window.

    The streams tolerate nothing, so each is put on the scale of its own reference.
    """
    past = streams[:, :reference]
    behind = behind_fleet((streams - past.mean(1, keepdims=True)) / past.std(1, keepdims=True))
    tracks = [Track(past=tuple(each)) for each in behind[:, :reference].tolist()]
    alarms: Alarms = []
    for start in range(reference, streams.shape[1] - window + 1, window):
        tracks, said = advance(
            tracks,
            behind[:, start : start + window].mean(1),
            per_window=window,
            run=RUN,
            clear_windows=Alerts().clear_windows,
        )
        alarms += [(model, start + window) for model, each in enumerate(said) if each.fresh]
    return alarms


def dummy(streams: Streams, reference: int, window: int) -> Alarms:
    """Let every tenth model alarm once, whichever and whenever."""
    generator = np.random.default_rng(0)
    chosen = generator.choice(len(streams), len(streams) // 10, replace=False)
    last = (streams.shape[1] - reference) // window
    at = reference + window * generator.integers(1, last + 1, len(chosen))
    return list(zip(chosen.tolist(), at.tolist(), strict=True))


def score(changes: dict[int, int], alarms: Iterable[tuple[int, int]], windows: int) -> Score:
    """Count the events that were found in time."""
    known = list(alarms)
    found = 0
    for model, change in changes.items():
        after = sorted(at for who, at in known if who == model and at > change)
        found += bool(after) and after[0] - change <= IN_TIME
    return Score(events=len(changes), found=found, alarms=len(known), windows=windows)


def main() -> int:
    """Have the streams made, run all sides, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", action="append", default=[], help="driftfdr=PYTHON")
    parser.add_argument("--fresh", type=int, default=25, help="cases with seeds of their own")
    parser.add_argument("--every", type=int, default=1, help="only each so-manieth scenario")
    parser.add_argument("--folder", type=Path, help="streams and alarms of an earlier run")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as scratch:
        folder = options.folder or Path(scratch)
        if options.folder is None:
            python = dict(peer.split("=", 1) for peer in options.peer)["driftfdr"]
            command = [python, PEER, folder, "--fresh", options.fresh, "--every", options.every]
            subprocess.run([str(part) for part in command], check=True)
        facts = judge(folder)
    if options.json is not None:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    print(table(facts))
    return 0


def judge(folder: Path) -> dict[str, Any]:
    """Run our side and the dummy on the streams that the peer has left."""
    known = json.loads((folder / "driftfdr.json").read_text())
    reference, window = known["reference"], known["window"]
    sides: dict[str, Callable[[Streams, int, int], Alarms]] = {
        "watchkeeper": watchkeeper,
        "dummy": dummy,
    }
    scores: dict[str, list[Score]] = {"watchkeeper": [], "driftfdr": [], "dummy": []}
    seconds = 0.0
    for index, scenario in enumerate(known["scenarios"]):
        streams = np.load(folder / f"{index}.npy")
        changes = {int(model): at for model, at in scenario["changes"].items()}
        windows = len(streams) * ((streams.shape[1] - reference) // window)
        scores["driftfdr"].append(score(changes, map(tuple, scenario["alarms"]), windows))
        for name, side in sides.items():
            started = time.perf_counter()
            alarms = side(streams, reference, window)
            seconds += (time.perf_counter() - started) * (name == "watchkeeper")
            scores[name].append(score(changes, alarms, windows))
    fresh = np.array([scenario["fresh"] for scenario in known["scenarios"]])
    return {
        "scenarios": len(fresh),
        "seconds": seconds,
        "suite": _figures(scores, ~fresh),
        "fresh": _figures(scores, fresh),
    }


def _figures(scores: dict[str, list[Score]], chosen: NDArray[np.bool_]) -> dict[str, Any]:
    f1 = {name: np.array([each.f1 for each in found])[chosen] for name, found in scores.items()}
    figures: dict[str, Any] = {
        name: {
            "f1": float(np.nanmean(f1[name])) if chosen.any() else None,
            "false_per_1000": float(
                np.mean([each.false_per_thousand for each in np.array(found)[chosen]])
            )
            if chosen.any()
            else None,
        }
        for name, found in scores.items()
    }
    gain = f1["watchkeeper"] - f1["driftfdr"]
    gain = gain[np.isfinite(gain)]
    if len(gain) > 1:
        error = float(gain.std(ddof=1)) / np.sqrt(len(gain))
        figures["gain"] = float(gain.mean())
        figures["gain_lower"] = float(gain.mean() + stdtrit(len(gain) - 1, 0.05) * error)
    return figures


def table(facts: dict[str, Any]) -> str:
    """Return the result as a table."""
    lines = [f"{facts['scenarios']} fleets; watchkeeper took {facts['seconds']:.0f} s in all", ""]
    for part in ("suite", "fresh"):
        lines.append(f"{part:<14}{'event F1':>10}{'false / 1,000 windows':>24}")
        lines += [
            f"{name:<14}{each['f1']:>10.3f}{each['false_per_1000']:>24.2f}"
            for name, each in facts[part].items()
            if isinstance(each, dict) and each["f1"] is not None
        ]
        if "gain" in facts[part]:
            lines.append(
                f"ours less driftfdr {facts[part]['gain']:+.3f}, "
                f"at least {facts[part]['gain_lower']:+.3f} (95 %, paired)"
            )
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
