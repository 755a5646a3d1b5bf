"""The settings that say what follows from a finding: alerts, retraining, rollout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr

from watchkeeper.configuration import Duration, Section, nearest
from watchkeeper.document import Place

#: How each policy decides is told in ``retrain/policy.py``; ``schedule`` needs a duration.
POLICIES = ("excess_loss", "drift", "schedule", "never")


def _policy(value: str) -> str:
    known = [name.replace("schedule", "schedule:30d") for name in POLICIES]
    if value not in known and not re.fullmatch(r"schedule:[1-9]\d*[smhdw]", value):
        raise ValueError(f"no policy {value!r}; {nearest(value, known)}")
    return value


class AlarmBudget(Section):
    """How often the owner may be woken while nothing is wrong."""

    pages: int = Field(default=1, ge=1, description="Pages that are accepted as false alarms.")
    per: Literal["week", "month", "quarter", "year"] = Field(
        default="quarter", description="Over which time."
    )
    of: Literal["model", "fleet"] = Field(
        default="model",
        description="Whose pages these are: this model's, or those of all models together whose "
        "files say `fleet`; each of them pages so much more rarely, and what eight or more with "
        "the same windows do together is one page, and one that falls behind them is a ticket. A "
        "back-test knows one model.",
    )
    _models: int = PrivateAttr(default=1)
    _streams: int = PrivateAttr(default=0)

    @property
    def models(self) -> int:
        """How many models share it."""
        return self._models

    @property
    def streams(self) -> int:
        """How many fleets are watched for what their models do together."""
        return self._streams

    @property
    def share(self) -> float:
        """The pages of one model, so that those of all together are as many as allowed.

        Expectations add up however alike the models are, so the division is right for models
        that share their data and move together, too. Half is kept for what they do together.
        """
        return self.pages * (0.5 if self._streams else 1.0) / self._models

    @property
    def common_share(self) -> float:
        """The pages about what the models of one fleet do together; 0 where that is not watched.

        Examples
        --------
        >>> budget = AlarmBudget(pages=2, of="fleet").shared_by(40, streams=1)
        >>> budget.share, budget.common_share
        (0.025, 1.0)
        """
        return self.pages / 2 / self._streams if self._streams else 0.0

    @property
    def sentence(self) -> str:
        """The budget in words.

        Examples
        --------
        >>> AlarmBudget().sentence, AlarmBudget(pages=2, of="fleet").shared_by(30).sentence
        ('1 page a quarter', '2 pages a quarter over 30 models')
        """
        said = f"{self.pages} page{'' if self.pages == 1 else 's'} a {self.per}"
        return said if self._models == 1 else f"{said} over {self._models} models"

    def shared_by(self, models: int, *, streams: int = 0) -> Self:
        """Return the budget of so many models together, in so many fleets."""
        shared = self.model_copy()
        shared._models, shared._streams = models, streams  # noqa: SLF001  a copy of its own
        return shared

    @property
    def period(self) -> timedelta:
        """How long that time is; a quarter counts as 90 days."""
        return timedelta(days={"week": 7, "month": 30, "quarter": 90, "year": 365}[self.per])


class Alerts(Section):
    """When a finding becomes an incident, and when it is over."""

    fire: int = Field(default=2, ge=1, description="Bad windows that open an incident …")
    of: int = Field(default=3, ge=1, description="… among this many of the newest.")
    clear_windows: int = Field(
        default=3, ge=1, description="Good windows in a row before an incident can end."
    )
    hold: Duration = Field(
        default=timedelta(days=1),
        description="How long it must stay good after that before it is called resolved.",
    )
    reopen: Duration = Field(
        default=timedelta(days=3),
        description="A relapse within this time reopens the incident instead of opening another.",
    )

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield a rule that could never fire."""
        if self.fire > self.of:
            yield ("fire",), f"{self.fire} of {self.of} windows can never be bad; lower `fire`"


class Retrain(Section):
    """When and how a new version is trained."""

    command: str = Field(
        description="`file.py:function` in the project, or a command that leaves "
        "`artifact/model.skops` in the folder that $WATCHKEEPER_RUN names."
    )
    data: str | None = Field(
        default=None,
        description="Table of the original training rows; newer ones come from the source.",
    )
    policy: Annotated[str, AfterValidator(_policy)] = Field(
        default="excess_loss",
        description="`excess_loss`, `drift`, `schedule:30d` or `never`.",
    )
    cost: float = Field(
        default=100.0,
        gt=0,
        description="What a retrain costs, in units of the metric summed over rows: the excess "
        "loss that is worth one.",
    )
    cooldown: Duration = Field(
        default=timedelta(days=7), description="Least time between two retrains."
    )
    minimum_labels: int = Field(
        default=1000, ge=1, description="Labels that must be known since the last training."
    )
    window: Literal["search", "all"] | Duration = Field(
        default="search",
        description="How much of the past to train on: `all`, a duration, or `search`: try "
        "several and keep the best on the newest labels.",
    )


class Rollout(Section):
    """How a promoted version takes over."""

    shadow: Duration | None = Field(
        default=None, description="How long it answers beside the champion, unseen, first."
    )
    canary: tuple[Annotated[int, Field(gt=0, lt=100)], ...] = Field(
        default=(), description="Shares of the requests, in percent, that it is given step by step."
    )
    hold: Duration = Field(
        default=timedelta(hours=6), description="How long each step lasts before the next."
    )

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield steps that do not rise."""
        if list(self.canary) != sorted(set(self.canary)):
            yield ("canary",), f"expected rising percentages, got {list(self.canary)}"
