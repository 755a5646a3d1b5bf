"""Watch what the models of a fleet do together, told once, and which of them fall behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from monitor.behind_fleet import compare
from monitor.detection.arming import common_run_of, fleet_run_of
from monitor.detection.common import common_gain, common_harm
from monitor.detection.detector import HARMS, Said, State, advance
from monitor.evaluate import mature_at
from monitor.fleet_store import FleetRow, FleetStates
from monitor.window_store import Touch, Windows
from watchkeeper.fleets import LEAST, Fleet
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window, window_at

#: What each model has said of one window, with its version.
_Spent = Mapping[str, tuple[int, dict[str, Any]]]
#: Models that are named where a fleet is told of.
_NAMED = 3
#: Windows before now in which a new fleet begins.
_LATEST = 3


class FleetWatch:
    """The common stream of one fleet, in the caller's transaction.

    A window is closed once every model has spent it that has spent the one before; and without
    them when all labels have had their time, and one window more. What a model says later
    changes nothing. Windows are closed in order.

    Parameters
    ----------
    models
        Settings by name, of all models of the fleet.
    """

    def __init__(
        self, session: Session, fleet: Fleet, models: Mapping[str, ModelSettings], now: datetime
    ) -> None:
        self._session = session
        self._fleet = fleet
        self._now = now
        self._settings = [models[name] for name in fleet.models]
        self._store = FleetStates(session)
        self._threshold = max(common_run_of(each) for each in self._settings)

    def close(self) -> set[str]:
        """Close what can be closed; return the models whose windows must be looked at again."""
        row = self._store.open(self._fleet.key)
        again: set[str] = set()
        last = self._store.said(row.fleet, row.last_window) if row.last_window else None
        expected = set(last["models"] if last else self._fleet.models) & set(self._fleet.models)
        after = row.last_window or self._beginning()
        for start, spent in self._store.spent(self._fleet.models, after).items():
            if not (expected <= spent.keys() or self._is_over(start)):
                break
            again |= self._take_in(row, start, spent)
            expected = set(spent)
        return again

    def _beginning(self) -> datetime:
        """Return when a fleet that is new begins: what its models said long ago is over."""
        delay = max(each.label.delay for each in self._settings)
        return self._now - delay - _LATEST * self._settings[0].windows.size

    def _is_over(self, start: datetime) -> bool:
        return all(
            mature_at(_window(start, settings), settings) + settings.windows.size <= self._now
            for settings in self._settings
        )

    def _take_in(self, row: FleetRow, start: datetime, spent: _Spent) -> set[str]:
        gained = {name: np.asarray(said["gained"]) for name, (_, said) in spent.items()}
        harms = {name: said["harm"] for name, (_, said) in spent.items()}
        harm = common_harm([math.nan if each is None else each for each in harms.values()])
        enough = len(gained) >= LEAST
        before = row.carrier
        state, said = advance(
            State.from_dict(row.state),
            common_gain([*gained.values()], len(self._settings))
            if enough
            else np.zeros(len(HARMS)),
            threshold=self._threshold,
            beyond=harm > 1 if enough and math.isfinite(harm) else None,
            clear_windows=max(each.alerts.clear_windows for each in self._settings),
        )
        row.tracks, behind = compare(
            # A model that is watched no more is forgotten.
            {name: each for name, each in (row.tracks or {}).items() if name in self._fleet.models},
            {name: (version, harms[name]) for name, (version, _) in spent.items()},
            self._settings[0],
            run=max(fleet_run_of(each) for each in self._settings),
        )
        worst = sorted(gained, key=lambda name: -float(np.logaddexp.reduce(gained[name])))
        row.state = state.to_dict()
        if not said.alarmed:
            row.carrier = None
        elif said.fresh or before not in self._fleet.models:
            row.carrier = worst[0]
        told = {
            "alarmed": said.alarmed,
            "fresh": said.fresh,
            "carrier": row.carrier,
            "value": said.value,
            "limit": math.log(self._threshold),
            "harm": harm if math.isfinite(harm) else None,
            "models": sorted(spent),
            "reason": self._reason(said, harms, worst),
            "behind": behind,
        }
        self._store.close(row, start, told)
        return self._look_again({before, row.carrier, *behind}, start, spent)

    def _look_again(self, told: set[str | None], start: datetime, spent: _Spent) -> set[str]:
        again = {name for name in told if name in spent}
        for settings in self._settings:
            if settings.model in again:
                version, _ = spent[settings.model]
                window = _window(start, settings)
                # As if rows had changed: those are looked at before all labels are due.
                touch = Touch(version=version, window=window, in_rows=True)
                Windows(self._session).touch(settings.model, [touch])
        return {name for name in again if name}

    def _reason(self, said: Said, harms: Mapping[str, float | None], worst: list[str]) -> str:
        beyond = sum(1 for each in harms.values() if each is not None and each > 1)
        budget = self._settings[0].alarm_budget.sentence
        known = (
            f"{beyond} of {len(harms)} models with the same windows are beyond their limits, "
            f"most of all {', '.join(worst[:_NAMED])}"
        )
        evidence = (
            f"evidence {math.exp(min(said.value, 200.0)):.3g} of {self._threshold:.3g}, {budget}"
        )
        if said.fresh:
            return f"the fleet has become worse as a whole, and not by chance: {known}; {evidence}"
        lasts = "is" if said.alarmed else "is not beyond chance"
        return f"the fleet {lasts} worse as a whole: {known}; {evidence}"


def _window(start: datetime, settings: ModelSettings) -> Window:
    return window_at(start, settings.windows.size, settings.windows.timezone)
