"""Models that share an alarm budget, and those of them whose windows are the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchkeeper.model_settings import ModelSettings

#: With fewer models with the same windows, the middle one is no common movement.
LEAST = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """Models whose pages are counted together and whose windows begin and end together.

    Parameters
    ----------
    key
        Names the windows: their length and time zone.
    models
        At least ``LEAST`` of them, in order of their names.
    """

    key: str
    models: tuple[str, ...]


def sharing(models: Mapping[str, ModelSettings]) -> list[str]:
    """Return the models that share one alarm budget."""
    return [name for name, each in models.items() if each.alarm_budget.of == "fleet"]


def windows_of(settings: ModelSettings) -> str | None:
    """Return the key of the models that have the same windows; None where they end by rows."""
    windows = settings.windows
    return None if windows.rows is not None else f"{windows.size}|{windows.timezone.key}"


def watched_with(settings: ModelSettings) -> str | None:
    """Return the key of the fleet that a model is watched with; None where it is watched alone."""
    return windows_of(settings) if settings.alarm_budget.streams else None


def fleets_of(models: Mapping[str, ModelSettings]) -> list[Fleet]:
    """Return the groups of models that are watched together, in order of their keys.

    Windows of so many rows end at times of their own: a model with those is in no group.
    """
    found: dict[str, list[str]] = {}
    for name in sharing(models):
        key = windows_of(models[name])
        if key is not None:
            found.setdefault(key, []).append(name)
    return [
        Fleet(key=key, models=tuple(sorted(names)))
        for key, names in sorted(found.items())
        if len(names) >= LEAST
    ]
