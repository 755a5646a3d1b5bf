"""Evaluate one window: from its profiles and the reference to every check's result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.decay import check_performance
from monitor.drift import check_drift
from monitor.drift_reference import DriftReference, fixed
from monitor.early_labels import check_early_labels
from monitor.estimate import check_estimate
from monitor.estimation.trust import Checked
from monitor.label_arrival import check_labels
from monitor.model import CheckResult, EvaluatedWindow
from monitor.performance.blocks import blocks_of
from monitor.profiles.model import Profile
from monitor.quality.check import check_quality
from monitor.reference import Reference
from monitor.segments import check_segments
from monitor.subject import Subject
from monitor.volume import check_volume
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window

#: With this share of its rows labelled, a window is mature before its time.
_NEARLY_ALL = 0.995


def evaluate_window(
    window: Window,
    tiles: Mapping[datetime, Profile],
    reference: Reference,
    settings: ModelSettings,
    *,
    version: int,
    now: datetime,
    rows_before: Sequence[int] = (),
    rows_of_all: int | None = None,
    labels_before: Sequence[tuple[int, int]] = (),
    drift_reference: DriftReference | None = None,
    estimates_before: Sequence[Checked] = (),
) -> EvaluatedWindow:
    """Run every check on one window of one model version.

    Parameters
    ----------
    tiles
        Profiles of the tiles of the window, by their start; none when the window is empty.
    rows_before
        Rows of the closed windows before it, over all versions.
    rows_of_all
        Rows of this window over all versions; None when there is only this one.
    labels_before
        Rows and labels of the windows before it whose labels have had their time.
    drift_reference
        What columns are compared with; by default the whole fixed reference. Performance and the
        data contract are always held against the fixed one.
    estimates_before
        How estimates of the windows before it came out, the newest first.
    now
        Event time of the evaluation.
    """
    profile = Profile.merge(tiles.values(), reference.bins.layout)
    mature = is_mature(window, profile, settings, now)
    subject = Subject(
        model=settings.model,
        version=version,
        window=window,
        now=now,
        reference_id=reference.id,
    )
    results: list[CheckResult] = []
    if profile.rows:
        outcomes = {start: tile.outcomes for start, tile in tiles.items()}
        results += check_performance(
            subject,
            blocks_of(outcomes, settings.windows.timezone),
            reference,
            settings.tolerance,
            mature=mature,
            own=settings.own_metrics,
        )
        results += check_estimate(
            subject, profile, reference, settings.tolerance, estimates_before, mature=mature
        )
        results += check_early_labels(subject, profile)
        results.append(
            check_labels(
                subject,
                profile,
                labels_before,
                column=settings.label.column,
                mature=mature,
            )
        )
        # Beside another version, or where the log begins, a window is not all of its time.
        whole = bool(rows_before) and rows_of_all in (None, profile.rows)
        results += check_quality(subject, profile, reference, tiles, whole=whole)
        results += check_drift(subject, profile, drift_reference or fixed(reference))
        results += check_segments(
            subject,
            profile,
            tiles,
            reference,
            settings.tolerance,
            zone=settings.windows.timezone,
            mature=mature,
            own=settings.own_metrics,
        )
    rows = profile.rows if rows_of_all is None else rows_of_all
    results.append(check_volume(subject, rows, rows_before))
    return EvaluatedWindow(
        model=settings.model,
        version=version,
        window=window,
        rows=profile.rows,
        labels=profile.labels,
        labels_mature=mature,
        evaluated_at=now,
        results=tuple(results),
    )


def mature_at(window: Window, settings: ModelSettings) -> datetime:
    """Return when the labels of all rows of a window have had their delay."""
    return window.end + settings.label.delay


def is_mature(window: Window, profile: Profile, settings: ModelSettings, now: datetime) -> bool:
    """Whether the labels of a window had their time to arrive, or are nearly all there."""
    if now >= mature_at(window, settings):
        return True
    return now >= window.end and 0 < _NEARLY_ALL * profile.rows <= profile.labels
