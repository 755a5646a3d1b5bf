"""Where the loss behind an incident comes from."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One part of a loss, or one suspect.

    Parameters
    ----------
    value, lower, upper
        What it adds, with its 95 % interval where there is one.
    note
        What a person must know to read it.
    """

    name: str
    value: float
    lower: float | None = None
    upper: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttributionView:
    """Where the rise of the mean loss of one window comes from.

    Parameters
    ----------
    sentence
        All of it in words.
    kinds, segments
        In units of the loss; the parts of ``kinds`` add up to ``change``.
    columns
        Suspects by score, the first the most likely.
    shared
        Other models with the same columns in trouble.
    """

    window: Window
    sentence: str
    loss: str
    change: float
    kinds: tuple[Bar, ...] = ()
    segments: tuple[Bar, ...] = ()
    columns: tuple[Bar, ...] = ()
    shared: tuple[str, ...] = ()
