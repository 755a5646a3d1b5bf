"""Finds what a window's columns are compared with, by merging stored profiles alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy.orm import Session

from monitor.drift_reference import DriftReference, fixed, in_season, moving
from monitor.history import History, PastWindow
from monitor.profiles.model import Profile
from monitor.profiles.repository import Profiles
from monitor.reference import Reference
from monitor.reference_store import References
from monitor.seasons import Same, cycle_of, season_of
from monitor.window_store import Windows
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window, format_duration

#: A season-matched reference takes in so many comings of the season.
_COMINGS = {"hour_of_week": 12, "day_of_week": 12, "hour_of_day": 28}
#: With fewer comparable windows there is too little history.
MINIMUM_WINDOWS = 3
#: A trailing period must be covered by windows to this part.
_COVERED = 0.5
#: Merged windows that are kept in memory.
_KEPT = 2000

Key = tuple[str, str, datetime]
State = tuple[tuple[int, int], ...]


class DriftReferences:
    """The references of windows as the settings want them; one per process.

    Windows with a critical finding of data quality are left out: a fault must not become what is
    normal. The cost is that of reading and merging profiles; merged windows are kept until their
    profiles change.
    """

    def __init__(self) -> None:
        self._merged: OrderedDict[Key, tuple[State, Profile]] = OrderedDict()

    def of(
        self,
        session: Session,
        settings: ModelSettings,
        reference: Reference,
        version: int,
        window: Window,
    ) -> DriftReference:
        """Return what the columns of a window are compared with.

        Parameters
        ----------
        reference
            The fixed reference of the version, whose bins all profiles are counted on.
        """
        if settings.windows.rows is not None:
            return fixed(reference)
        if settings.reference.kind == "trailing":
            return self._trailing(session, settings, reference, version, window)
        if settings.reference.kind == "seasonal":
            return self._seasonal(session, settings, reference, version, window)
        return _fixed(session, settings, reference, window)

    def _trailing(
        self,
        session: Session,
        settings: ModelSettings,
        reference: Reference,
        version: int,
        window: Window,
    ) -> DriftReference:
        length = settings.reference.length or timedelta(0)
        end = window.start - (settings.reference.gap or timedelta(0))
        period = Window(start=end - length, end=end)
        windows = list(self._windows(session, settings, reference, version, period))
        wanted = max(round(length / settings.windows.size), 1)
        if len(windows) < max(_COVERED * wanted, min(wanted, MINIMUM_WINDOWS)):
            note = (
                f"too little history for a trailing reference ({len(windows)} of {wanted} windows)"
            )
            return _fixed(session, settings, reference, window, note)
        note = (
            f"against {len(windows)} windows of {format_duration(length)} "
            f"up to {period.end:%Y-%m-%d %H:%M}"
        )
        return moving(reference, [profile for _, profile in windows], note)

    def _seasonal(
        self,
        session: Session,
        settings: ModelSettings,
        reference: Reference,
        version: int,
        window: Window,
    ) -> DriftReference:
        same: Same = settings.reference.same or "hour_of_week"
        zone, cycle = settings.windows.timezone, cycle_of(same)
        season = season_of(window.start, same, zone)
        reach = Window(start=window.start - _COMINGS[same] * cycle, end=window.start)
        found = [
            profile
            for _, profile in self._windows(
                session, settings, reference, version, reach, season=(same, season)
            )
        ]
        what = f"the same {same.replace('_', ' ')}"
        if len(found) >= MINIMUM_WINDOWS:
            return moving(reference, found, f"against {len(found)} earlier windows of {what}")
        first = Windows(session).first(settings.model)
        known = timedelta(0) if first is None else window.start - first
        if not found and known >= MINIMUM_WINDOWS * cycle:
            note = f"no earlier window of {what} is known, so nothing is comparable"
            return moving(reference, [], note)
        note = f"too little history of {what} ({len(found)} windows)"
        return _fixed(session, settings, reference, window, note)

    def _windows(
        self,
        session: Session,
        settings: ModelSettings,
        reference: Reference,
        version: int,
        period: Window,
        *,
        season: tuple[Same, int] | None = None,
    ) -> Iterator[tuple[datetime, Profile]]:
        """Yield the sound windows of a period in order of time, merged over versions.

        Versions before this one count where their profiles are on the same bins.
        """
        known = History(session).windows(settings.model, period, up_to=version)
        faulty = History(session).faulty(settings.model, period)
        zone = settings.windows.timezone
        chosen = [
            past
            for past in known
            if past.window.start not in faulty
            and (season is None or season_of(past.window.start, season[0], zone) == season[1])
        ]
        self._read(session, settings, reference, chosen)
        for start, _ in groupby(chosen, key=lambda past: past.window.start):
            _, profile = self._merged[_key(settings, reference, start)]
            if profile.rows:
                yield start, profile

    def _read(
        self,
        session: Session,
        settings: ModelSettings,
        reference: Reference,
        windows: Sequence[PastWindow],
    ) -> None:
        """Read and merge the windows that are not in memory as they are in the database."""
        missing: dict[datetime, tuple[Window, State]] = {}
        for start, each in groupby(windows, key=lambda past: past.window.start):
            same_start = list(each)
            state = tuple((past.version, past.row_changes) for past in same_start)
            key = _key(settings, reference, start)
            if key in self._merged and self._merged[key][0] == state:
                self._merged.move_to_end(key)
            else:
                missing[start] = (same_start[0].window, state)
        tiles = Profiles(session).at(
            settings.model,
            [t for w, _ in missing.values() for t in _tiles_of(w, settings.windows.tile)],
        )
        layout = reference.bins.layout
        for start, (window, state) in missing.items():
            versions = {version for version, _ in state}
            parts = [
                Profile.from_bytes(tile.data, layout)
                for begin in _tiles_of(window, settings.windows.tile)
                for tile in tiles.get(begin, ())
                if tile.version in versions and Profile.is_counted_on(tile.data, layout)
            ]
            self._merged[_key(settings, reference, start)] = state, Profile.merge(parts, layout)
        # Windows that were just asked for are the newest, so they stay.
        while len(self._merged) > max(_KEPT, len(windows)):
            self._merged.popitem(last=False)


def _key(settings: ModelSettings, reference: Reference, start: datetime) -> Key:
    return settings.model, reference.bins.layout.edges_key, start


def _tiles_of(window: Window, tile: timedelta) -> Iterable[datetime]:
    return (window.start + k * tile for k in range(-((window.start - window.end) // tile)))


def _fixed(
    session: Session,
    settings: ModelSettings,
    reference: Reference,
    window: Window,
    note: str = "",
) -> DriftReference:
    """Return the fixed reference, or its part that has the season of a short window."""
    if reference.seasons is None or reference.id is None:
        return fixed(reference, f"{note}; compared with the fixed one" if note else "")
    same = reference.seasons.same
    season = season_of(window.start, same, settings.windows.timezone)
    profile = References(session).season(reference, season)
    name = same.replace("_", " ")
    said = f"against the same {name} of the fixed reference"
    if not profile.rows:
        said = f"the reference has no row in this {name}, so nothing is comparable"
    return in_season(reference, profile, f"{note}; {said}" if note else said)
