"""Hold the models of a fleet against each other as its windows close, and say it of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from monitor.detection.behind import Said, Track, advance, behind_fleet
from monitor.fleet_store import FleetStates
from monitor.model import BEHIND_FLEET, CheckResult, CheckStatus, EvaluatedWindow, Family, Threshold
from monitor.subject import Subject
from watchkeeper.fleets import watched_with
from watchkeeper.metric_function import title_of
from watchkeeper.model_settings import ModelSettings

#: A model is held against its first windows, so many and at least a week of them …
_PAST_WINDOWS = 28
_PAST = timedelta(days=7)
#: … but no more than this.
_MOST_PAST = 168
#: Falling behind by less than a model tolerates is no matter for anybody.
_LEAST = 1.0


def compare(
    stored: Mapping[str, Any],
    harms: Mapping[str, tuple[int, float | None]],
    settings: ModelSettings,
    *,
    run: float,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take in a closed window of a fleet.

    A model's first windows are its past: while they are gathered, and again when another version
    serves, nothing is said of it.

    Parameters
    ----------
    stored
        What was returned for the window before, by model; empty for the first.
    harms
        By model, the version that was watched and how much worse than its reference it was, in
        units of what it tolerates; None where the window has no value.
    settings
        Of any model of the fleet: its windows and its rule for the end of an alarm.
    run
        Quiet windows that are to lie between two alarms of the fleet.

    Returns
    -------
    tuple of dict
        What is to be stored, as plain JSON types; and by model what the window says of those that
        are behind, or no longer.
    """
    versions = {name: each["version"] for name, each in stored.items()}
    versions |= {name: version for name, (version, _) in harms.items()}
    tracks = {name: _track(stored.get(name), version) for name, version in versions.items()}
    harm = np.array([harms.get(name, (0, None))[1] for name in tracks], dtype=np.float64)
    behind = dict(zip(tracks, behind_fleet(harm[:, None])[:, 0].tolist(), strict=True))
    size = _past_windows(settings.windows.size)
    known = [name for name, track in tracks.items() if len(track.past) == size]
    after, said = advance(
        [tracks[name] for name in known],
        np.array([behind[name] for name in known]),
        run=run,
        clear_windows=settings.alerts.clear_windows,
        least=_LEAST,
    )
    tracks |= {
        name: Track(past=(*track.past, behind[name]))
        for name, track in tracks.items()
        if len(track.past) < size and math.isfinite(behind[name])
    }
    tracks |= dict(zip(known, after, strict=True))
    others = int(np.isfinite(harm).sum()) - 1
    told = {
        name: _told(each, others) for name, each in zip(known, said, strict=True) if each.alarmed
    }
    alarmed = [name for name, each in stored.items() if each["track"]["alarmed"]]
    told |= {name: _ended() for name in alarmed if name not in told}
    kept = {
        name: {"version": versions[name], "track": track.to_dict()}
        for name, track in tracks.items()
    }
    return kept, told


def _track(before: Mapping[str, Any] | None, version: int) -> Track:
    same = before is not None and before["version"] == version
    return Track.from_dict(before["track"]) if before is not None and same else Track()


def check_behind_fleet(
    session: Session, evaluated: EvaluatedWindow, settings: ModelSettings, reference_id: int | None
) -> CheckResult | None:
    """Return what a window says of a model beside its fleet; None where there is nothing to say."""
    fleet = watched_with(settings)
    if fleet is None or not evaluated.rows:
        return None
    said = FleetStates(session).behind(fleet, settings.model, evaluated.window.start)
    if said is None:
        return None
    subject = Subject(
        model=evaluated.model,
        version=evaluated.version,
        window=evaluated.window,
        now=evaluated.evaluated_at,
        reference_id=reference_id,
    )
    return CheckResult(
        measurement=subject.measurement(
            BEHIND_FLEET, said["rise"], n_current=evaluated.labels, p_value=said["p_value"]
        ),
        threshold=Threshold(method="fleet", upper=_LEAST),
        family=Family.PERFORMANCE,
        check=BEHIND_FLEET,
        status=CheckStatus.CRITICAL if said["alarmed"] else CheckStatus.OK,
        reason=f"{title_of(settings.tolerance.metric)} {said['reason']}",
        effect=said["rise"],
    )


def _past_windows(size: timedelta) -> int:
    return min(max(_PAST_WINDOWS, math.ceil(_PAST / size)), _MOST_PAST)


def _told(said: Said, others: int) -> dict[str, Any]:
    over = "the newest window" if said.windows == 1 else f"{said.windows} windows"
    reason = f"is behind the {others} other models with the same windows"
    if math.isfinite(said.rise):
        reason += f", by {said.rise:.2g} times what is tolerated over {over}"
    if said.fresh:
        reason += f"; chance {said.p_value:.1g}, all models taken together"
    rise = said.rise if math.isfinite(said.rise) else None
    return {"alarmed": True, "rise": rise, "p_value": said.p_value, "reason": reason}


def _ended() -> dict[str, Any]:
    reason = "is not behind its fleet any more, or another version serves"
    return {"alarmed": False, "rise": None, "p_value": None, "reason": reason}
