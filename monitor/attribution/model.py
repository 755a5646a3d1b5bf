"""What is said of where a change of loss comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentChange:
    """A segment's part in the change of the mean loss.

    Parameters
    ----------
    share_reference, share_current
        Of the rows.
    loss_reference, loss_current
        Mean loss within; None where there are no rows.
    mix, within
        What its growing or shrinking adds, and what its rows' getting worse adds; over the
        segments of one column these sum to the whole change.
    excess, error
        What it adds beyond its share of the rows, and the standard error of that.
    """

    column: str
    segment: str
    share_reference: float
    share_current: float
    loss_reference: float | None
    loss_current: float | None
    mix: float
    within: float
    excess: float
    error: float

    @property
    def contribution(self) -> float:
        """Everything that the segment adds to the change of the mean loss."""
        return self.mix + self.within


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of the change, with its 95 % interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ShiftSplit:
    """The change of the mean loss by kind of shift.

    Parameters
    ----------
    shared_x
        Harder rows of kinds that the reference has often enough.
    y_given_x
        Same features, other labels: a concept change, or broken labels or features.
    unseen_x
        Rows of kinds that the reference hardly has.
    overlap
        How much the two have in common: 1 is everything, 0 nothing.
    domain_auc
        How well a classifier tells them apart.
    """

    shared_x: Part
    y_given_x: Part
    unseen_x: Part
    overlap: float
    domain_auc: float

    @property
    def largest(self) -> str:
        """Name of the part that adds most."""
        parts = {name: getattr(self, name).value for name in PARTS}
        return max(parts, key=lambda name: parts[name])


#: The parts of a split, in the order in which they add up.
PARTS = ("shared_x", "y_given_x", "unseen_x")


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnRank:
    """A column as a suspect.

    Parameters
    ----------
    importance
        Loss that the reference gains when the column is shuffled, by a stand-in for the model.
    drift
        Change of its distribution, nulls included, beyond what windows usually differ by; in nats.
    score
        By which columns are ranked, at least 0.
    """

    column: str
    importance: float
    drift: float
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedColumn:
    """Another model whose column of the same name is in trouble at the same time."""

    column: str
    model: str
    check: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JointDrift:
    """How well a classifier that sees all features tells the window from the reference.

    Parameters
    ----------
    auc, lower, upper, p_value
        Out-of-fold, with its 95 % interval; 0.5 is not at all.
    columns
        Those that it goes by, with the AUC that each is worth, the most important first.
    """

    auc: float
    lower: float
    upper: float
    p_value: float
    columns: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribution:
    """Where the change of the mean loss of one window comes from.

    Parameters
    ----------
    loss
        What is averaged: ``log_loss``, ``squared``, ``error``, ``ranking`` or ``absolute``.
    reference, current
        Mean loss of the two samples.
    n_reference, n_current, of_reference, of_current
        Labelled rows that were compared, and of how many rows they are a sample.
    segments, columns
        The most important first.
    shift, joint
        None where there were too few rows for it.
    """

    loss: str
    reference: float
    current: float
    n_reference: int
    n_current: int
    of_reference: int
    of_current: int
    segments: tuple[SegmentChange, ...]
    columns: tuple[ColumnRank, ...]
    shift: ShiftSplit | None = None
    joint: JointDrift | None = None
    shared: tuple[SharedColumn, ...] = ()

    @property
    def change(self) -> float:
        """How much the mean loss rose."""
        return self.current - self.reference

    def ranking(self) -> dict[str, float]:
        """Return the score of each column that is a suspect at all."""
        return {rank.column: rank.score for rank in self.columns if rank.score > 0}

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        shift = data["shift"]
        split = None
        if shift is not None:
            parts = {name: Part(**shift[name]) for name in PARTS}
            split = ShiftSplit(overlap=shift["overlap"], domain_auc=shift["domain_auc"], **parts)
        joint = data["joint"]
        if joint is not None:
            columns = tuple((name, worth) for name, worth in joint["columns"])
            joint = JointDrift(**{**joint, "columns": columns})
        return cls(
            **{
                **data,
                "joint": joint,
                "segments": tuple(SegmentChange(**each) for each in data["segments"]),
                "columns": tuple(ColumnRank(**each) for each in data["columns"]),
                "shared": tuple(SharedColumn(**each) for each in data["shared"]),
                "shift": split,
            }
        )
