"""The settings that say what a model's data are: owner, source, columns, reference, windows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from watchkeeper.configuration import Delay, Duration, Section, nearest
from watchkeeper.document import Place
from watchkeeper.schema import Task
from watchkeeper.tiling import default_tile, size_problem, tile_problem
from watchkeeper.window import DAY

#: The name of the built-in prediction log as a source.
BUILT_IN_LOG = "predictions"


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = available_timezones()
    if value not in names:
        hint = nearest(value, ["UTC"]) if len(value) < 4 else _nearest_zone(value, names)
        raise ValueError(f"no time zone {value!r}; {hint}")
    return ZoneInfo(value)


def _nearest_zone(value: str, names: set[str]) -> str:
    by_city = {name.lower(): name for name in names}
    hint = nearest(value, by_city)
    found = re.search(r"'(.+)'", hint)
    if found is None:
        return "expected an IANA name such as Europe/Berlin"
    return f"did you mean {by_city[found[1]]!r}?"


#: An IANA zone, written as its name.
Zone = Annotated[
    ZoneInfo,
    BeforeValidator(_zone),
    PlainSerializer(lambda zone: zone.key, return_type=str, when_used="json"),
]


def _slack_user(value: str) -> str:
    if re.fullmatch(r"[UWS][A-Z0-9]{2,}", value) is None:
        raise ValueError(f"expected the ID of a user or group such as U0EXAMPLE, got {value!r}")
    return value


def _slack_channel(value: str) -> str:
    if re.fullmatch(r"#?[A-Za-z0-9_-]+", value) is None:
        raise ValueError(f"expected a channel such as C0FLIGHTS or #flights, got {value!r}")
    return value


#: The ID of a user or a group on Slack.
SlackUser = Annotated[str, AfterValidator(_slack_user)]
#: A channel on Slack, by ID or by name.
SlackChannel = Annotated[str, AfterValidator(_slack_channel)]


def _size(value: timedelta) -> timedelta:
    problem = size_problem(value)
    if problem:
        raise ValueError(problem)
    return value


class Owner(Section):
    """Who is told, and who answers for the model."""

    name: str = Field(min_length=1, description="The person or rota that answers for the model.")
    slack: SlackUser | None = Field(
        default=None, description="Slack ID of the user or group that a page mentions."
    )
    team: str | None = Field(default=None, description="The team that the model belongs to.")
    channel: SlackChannel | None = Field(
        default=None, description="Slack channel of its messages; by default `slack.channel`."
    )


class Source(Section):
    """Where the predictions are read from."""

    table: str = Field(
        default=BUILT_IN_LOG,
        description="`predictions` is the built-in log; or a Parquet, CSV or Delta path or glob, "
        "or an Ibis URL with a table such as `postgres://host/db#table`.",
    )

    @property
    def is_built_in(self) -> bool:
        """Whether the predictions come from the built-in log."""
        return self.table == BUILT_IN_LOG


class Prediction(Section):
    """Which columns hold what the model said."""

    score: str | None = Field(
        default=None, description="Binary: column of the probability of the positive class."
    )
    label: str | None = Field(
        default=None, description="Column of the predicted class; binary: by default score >= 0.5."
    )
    scores: dict[str, str] | None = Field(
        default=None, description="Multi-class: the column of each class's probability."
    )
    value: str | None = Field(default=None, description="Regression: column of the prediction.")

    def columns(self) -> tuple[str, ...]:
        """Return the columns that are named here."""
        named = (self.score, self.label, self.value, *(self.scores or {}).values())
        return tuple(name for name in named if name is not None)

    def problems_for(self, task: Task) -> Iterator[tuple[Place, str]]:
        """Yield the columns that a task needs and does not have, or has and does not know."""
        needed, allowed = {
            Task.BINARY: ("score", {"score", "label"}),
            Task.MULTICLASS: ("label", {"label", "scores"}),
            Task.REGRESSION: ("value", {"value"}),
        }[task]
        for name in ("score", "label", "scores", "value"):
            given = getattr(self, name) is not None
            if given and name not in allowed:
                known = " and ".join(f"`{each}`" for each in sorted(allowed))
                yield (name,), f"a {task} model has no such column; it has {known}"
            if not given and name == needed:
                yield (), f"a {task} model needs `{name}`"


class Label(Section):
    """Which column holds the truth, and when it is known."""

    column: str = Field(description="Column of the label; the target in training data.")
    delay: Delay = Field(
        default=timedelta(0),
        description="How long after its prediction a label is complete; windows whose labels "
        "have not had this time are not judged on performance.",
    )
    positive: str | int | bool | None = Field(
        default=None, description="Binary: the value of the positive class; by default 1 or true."
    )
    available_at: str | None = Field(
        default=None, description="Column with the time at which each label became known."
    )


class Reference(Section):
    """What current data are compared with."""

    kind: Literal["fixed", "trailing", "seasonal"] = Field(
        default="fixed",
        description="`fixed`: the newest part of the training rows; `trailing`: a period that "
        "moves along; `seasonal`: the same hours of earlier weeks.",
    )
    table: str | None = Field(
        default=None,
        description="With a source of its own: table of the rows that the reference is fitted on; "
        "by default the first fifth of the source by time.",
    )
    length: Duration | None = Field(default=None, description="Trailing: how long the period is.")
    gap: Duration | None = Field(
        default=None, description="Trailing: how long before the window the period ends."
    )
    same: Literal["hour_of_week", "hour_of_day", "day_of_week"] | None = Field(
        default=None, description="Seasonal: what must agree between window and reference."
    )

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield settings that the kind does not have, or lacks."""
        uses = {"fixed": set(), "trailing": {"length", "gap"}, "seasonal": {"same"}}[self.kind]
        for name in ("length", "gap", "same"):
            if getattr(self, name) is not None and name not in uses:
                yield (name,), f"a {self.kind} reference has no `{name}`"
        if self.kind == "trailing" and self.length is None:
            yield (), "a trailing reference needs `length`, for example 28d"
        if self.kind == "seasonal" and self.same is None:
            yield (), "a seasonal reference needs `same`, for example hour_of_week"


def _whole_rows(value: object) -> object:
    if isinstance(value, str) and re.search(r"rows?\s*$", value):
        raise ValueError(f"expected a whole number of rows such as 5000 rows, got {value!r}")
    return value


class Windows(Section):
    """Over which stretches of event time the model is judged."""

    size: Annotated[Duration, AfterValidator(_size), BeforeValidator(_whole_rows)] = Field(
        description="Length of a window: whole days, or a duration that divides a day; "
        "or a number of rows, `5000 rows`."
    )
    timezone: Zone = Field(
        default=ZoneInfo("UTC"), description="IANA zone whose midnight windows are aligned with."
    )
    tile: Duration = Field(
        default=timedelta(0),
        description="The pieces that windows are merged from; by default the largest up to 1h "
        "that fits. Must divide the window and the zone's offsets from UTC.",
    )
    rows: int | None = Field(
        default=None,
        ge=1,
        description="Rows of a window, in the order of their time and then of arrival; "
        "`size: 5000 rows` says the same. On a live model rows of one instant stay together.",
    )

    _lasts: timedelta | None = PrivateAttr(default=None)

    @property
    def by_rows(self) -> bool:
        """Whether they end after so many rows, on whatever clock they are counted."""
        return self.rows is not None or self._lasts is not None

    @property
    def lasts(self) -> timedelta:
        """How long a window usually lasts, where its size is counted by another clock."""
        return self.size if self._lasts is None else self._lasts

    def lasting(self, usual: timedelta) -> Self:
        """Return windows that usually last so long, whatever their size says."""
        found = self.model_copy()
        found._lasts = usual  # noqa: SLF001  a copy of its own
        return found

    @model_validator(mode="before")
    @classmethod
    def _count_rows(cls, data: Any) -> Any:
        """Read a size in rows; how long such a window lasts is known from the data alone."""
        written = data.get("size") if isinstance(data, dict) else None
        match = re.fullmatch(r"\s*(\d+)\s*rows?\s*", written) if isinstance(written, str) else None
        return data if match is None else {**data, "size": DAY, "rows": int(match[1])}

    @field_validator("tile", mode="wrap")
    @classmethod
    def _fit_tile(cls, value: object, handler: Any, info: ValidationInfo) -> Any:
        size, zone = info.data.get("size"), info.data.get("timezone")
        if size is None or zone is None:
            return timedelta(hours=1)
        if value == timedelta(0):
            return default_tile(size, zone)
        tile = handler(value)
        problem = tile_problem(tile, size, zone)
        if problem:
            raise ValueError(problem)
        return tile
