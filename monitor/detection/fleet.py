"""Which models of a fleet have become worse than it: the common movement is a stream of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from monitor.statistics.multiple_testing import benjamini_hochberg

Floats = NDArray[np.float64]

#: With fewer models the middle one is no common movement, and nothing is subtracted.
MINIMUM_MODELS = 8
#: Windows that are tested together, each number of them by itself; a change must last two.
SPANS = (2, 3, 5, 8)
#: A model's own variance counts as one reference against so many of the fleet's.
_SHRINKAGE = 10
#: The variance of sums is learned over at most this part of the reference.
_REACH = 4
#: A window this many standard errors above the reference, or more, is not clear.
_CLEAR = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """What the losses of a fleet's models were in the reference.

    The last stream is the common movement; the others are the models, in their order.

    Parameters
    ----------
    level, deviation
        Mean loss of each model and the deviation of one unit about it, shape ``(models,)``.
    own
        Mean of each stream in the reference, in deviations; shape ``(models + 1,)``.
    variance
        Variance that the sum over units grows by per unit, as neighbours are alike; likewise.
    degrees
        Degrees of freedom of the variance, likewise.
    units, per_window
        Units of time in the reference and in a window.
    """

    level: tuple[float, ...]
    deviation: tuple[float, ...]
    own: tuple[float, ...]
    variance: tuple[float, ...]
    degrees: tuple[float, ...]
    units: int
    per_window: int

    def streams(self, losses: Floats) -> Floats:
        """Return what each model does beside the common movement, and that movement.

        Parameters
        ----------
        losses
            Mean loss by unit of time, shape ``(models, units)``; NaN where there is none.

        Returns
        -------
        numpy.ndarray
            Shape ``(models + 1, units)``, in deviations of the reference about its mean.
        """
        parts = _split(losses, np.asarray(self.level), np.asarray(self.deviation))
        return np.asarray(parts - np.asarray(self.own)[:, None])


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetState:
    """What is remembered between windows, by stream.

    Parameters
    ----------
    recent
        Means of the newest windows, oldest first, at most ``max(SPANS)`` of them.
    alarmed
        Whether it has alarmed, and the trouble lasts.
    clear
        Clear windows in a row since then.
    """

    recent: tuple[tuple[float, ...], ...] = ()
    alarmed: tuple[bool, ...] = ()
    clear: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain JSON types."""
        return {
            "recent": [[None if np.isnan(x) else x for x in means] for means in self.recent],
            "alarmed": list(self.alarmed),
            "clear": list(self.clear),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(
            recent=tuple(
                tuple(np.nan if x is None else x for x in means) for means in data["recent"]
            ),
            alarmed=tuple(data["alarmed"]),
            clear=tuple(data["clear"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetWindow:
    """What one window says, by stream; the last is the common movement.

    Parameters
    ----------
    p_value
        Chance of as large a rise without one, adjusted over the streams; shape ``(models + 1,)``.
    alarmed, fresh
        Whether a stream has alarmed and the trouble lasts; whether it alarms with this window.
    """

    p_value: Floats
    alarmed: NDArray[np.bool_]
    fresh: NDArray[np.bool_]


def fit_fleet(losses: Floats, *, per_window: int) -> Fleet:
    """Learn how the losses of a fleet move when nothing is wrong.

    Models share data, so their losses rise and fall together. Each is put on the scale of its own
    reference; the median over models is the common movement and the rest is the model's own, as
    in a median polish (Tukey 1977). How much sums over neighbouring units vary is learned with
    Bartlett's weights (Newey & West 1987) and drawn towards the mean of the fleet, which has many
    references where each model has one.

    Parameters
    ----------
    losses
        Mean loss of each model by unit of time in the reference, shape ``(models, units)``; NaN
        where there is none.
    per_window
        Units in a window.

    Raises
    ------
    ValueError
        There are fewer than two units.

    References
    ----------
    J. W. Tukey, "Exploratory Data Analysis", 1977.
    W. K. Newey and K. D. West, "A Simple, Positive Semi-Definite, Heteroskedasticity and
    Autocorrelation Consistent Covariance Matrix", Econometrica 55 (1987) 703-708.
    """
    models, units = losses.shape
    if units < 2:
        raise ValueError(f"a fleet needs at least two units of reference, got {units}")
    level = _mean(losses)
    deviation = np.sqrt(_mean((losses - level[:, None]) ** 2))
    deviation = np.where(deviation > 0, deviation, 1.0)
    parts = _split(losses, level, deviation)
    own = _mean(parts)
    reach = max(1, min(per_window, units // _REACH))
    variance = _variance_of_sums(parts - own[:, None], reach)
    share = _SHRINKAGE / (1 + _SHRINKAGE) if models > 1 else 0.0
    pooled = float(variance[:models].mean())
    variance[:models] = share * pooled + (1 - share) * variance[:models]
    # So many sums over a window's length a reference holds.
    sums = units / reach
    degrees = np.full(models + 1, max(sums * (1 + share * (models - 1)) - 1, 1.0))
    degrees[models] = max(sums - 1, 1.0)
    return Fleet(
        level=tuple(level.tolist()),
        deviation=tuple(deviation.tolist()),
        own=tuple(own.tolist()),
        variance=tuple(variance.tolist()),
        degrees=tuple(degrees.tolist()),
        units=units,
        per_window=per_window,
    )


def advance_fleet(
    fleet: Fleet, state: FleetState, losses: Floats, *, run: float, clear_windows: int
) -> tuple[FleetState, FleetWindow]:
    """Take in one window of all models.

    The mean of the newest two, three, five and eight windows is held against the reference with
    the error of both; the smallest p-value counts four times (Bonferroni), and the streams are
    adjusted together (Benjamini & Hochberg 1995). A stream alarms where that is at most
    ``1 / run``, so that quiet windows alarm less often than once in ``run``, over the whole
    fleet. An alarm lasts until ``clear_windows`` windows in a row are back within one standard
    error: what lasts is one alarm.

    Parameters
    ----------
    losses
        Mean loss by unit of the window, shape ``(models, units)``; NaN where there is none.
    run
        Quiet windows that are to lie between two alarms of the fleet.
    """
    streams = fleet.streams(losses)
    mean = np.where(np.isfinite(streams).any(axis=1), _mean(streams), np.nan)
    recent = (*state.recent, tuple(mean.tolist()))[-max(SPANS) :]
    adjusted = benjamini_hochberg(_p_values(fleet, np.array(recent)))
    before = np.array(state.alarmed or (False,) * len(mean))
    fresh = ~before & (adjusted <= 1 / run)
    error = np.sqrt(np.asarray(fleet.variance) * (1 / fleet.per_window + 1 / fleet.units))
    quiet = np.isnan(mean) | (mean < _CLEAR * error)
    streak = np.where(before & quiet, np.array(state.clear or (0,) * len(mean)) + 1, 0)
    alarmed = (before & (streak < clear_windows)) | fresh
    after = replace(
        state,
        recent=recent,
        alarmed=tuple(alarmed.tolist()),
        clear=tuple(np.where(alarmed, streak, 0).tolist()),
    )
    return after, FleetWindow(p_value=adjusted, alarmed=alarmed, fresh=fresh)


def _p_values(fleet: Fleet, recent: Floats) -> Floats:
    smallest = np.ones(recent.shape[1])
    for span in SPANS:
        if span > len(recent):
            break
        newest = recent[-span:]
        # A span with a hole says nothing: the windows in it are not those that were promised.
        mean = newest.mean(axis=0)
        error = np.sqrt(
            np.asarray(fleet.variance) * (1 / (span * fleet.per_window) + 1 / fleet.units)
        )
        rise = np.where(np.isnan(mean), -np.inf, mean) / np.where(error > 0, error, np.inf)
        smallest = np.minimum(smallest, stdtr(np.asarray(fleet.degrees), -rise))
    return np.minimum(len(SPANS) * smallest, 1.0)


def _mean(values: Floats) -> Floats:
    """Return the mean of each row over what is known; 0 where nothing is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(known.sum(axis=1), 1))


def _split(losses: Floats, level: Floats, deviation: Floats) -> Floats:
    """Return each model's losses on its own scale less the median over models, then that."""
    scaled = (losses - level[:, None]) / deviation[:, None]
    known = np.isfinite(scaled).sum(axis=0) >= MINIMUM_MODELS
    common = np.zeros(losses.shape[1])
    common[known] = np.nanmedian(scaled[:, known], axis=0)
    return np.vstack([scaled - common, common])


def _variance_of_sums(residuals: Floats, reach: int) -> Floats:
    """Return by how much the variance of a sum over neighbours grows with each of them."""
    units = residuals.shape[1]
    known = np.nan_to_num(residuals)
    weights = 1 - np.arange(reach) / reach
    total = np.zeros(len(known))
    for lag, weight in enumerate(weights):
        product = (known[:, lag:] * known[:, : units - lag]).sum(axis=1) / units
        total += (2 if lag else 1) * weight * product
    own = (known**2).mean(axis=1)
    # Taking the mean off makes sums too alike by so much; never less than independent units.
    return np.asarray(np.maximum(total * units / (units - reach), own))
