"""What each outcome of a yes-or-no prediction is worth to the owner: the cost matrix."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from watchkeeper.configuration import Section
from watchkeeper.document import Place

#: The metric that a cost matrix makes.
BUSINESS_VALUE = "business_value"


class CostMatrix(Section):
    """The value of one prediction by its outcome, in any unit; a cost is below zero.

    Examples
    --------
    >>> CostMatrix(false_positive=-5, false_negative=-100).span
    100.0
    """

    true_positive: float = Field(
        default=0.0,
        allow_inf_nan=False,
        description="Value of a prediction that is positive, and right; a cost is below zero.",
    )
    false_positive: float = Field(
        default=0.0,
        allow_inf_nan=False,
        description="Value of a prediction that is positive, and wrong: a false alarm.",
    )
    false_negative: float = Field(
        default=0.0,
        allow_inf_nan=False,
        description="Value of a prediction that is negative, and wrong: a miss.",
    )
    true_negative: float = Field(
        default=0.0,
        allow_inf_nan=False,
        description="Value of a prediction that is negative, and right.",
    )

    @property
    def values(self) -> tuple[float, float, float, float]:
        """Values of true negatives, false positives, false negatives and true positives."""
        return self.true_negative, self.false_positive, self.false_negative, self.true_positive

    @property
    def best(self) -> float:
        """The highest value that a prediction can have."""
        return max(self.values)

    @property
    def worst(self) -> float:
        """The lowest value that a prediction can have."""
        return min(self.values)

    @property
    def span(self) -> float:
        """How far the best and the worst outcome are apart."""
        return self.best - self.worst

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield a matrix by which all outcomes are the same."""
        if self.span == 0:
            yield (), "expected outcomes of different value, got the same for all four"
