"""The settings that say who is told: teams, their destinations, and who is on call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr

from watchkeeper.channel_settings import Destination, Name
from watchkeeper.configuration import Duration, Section, nearest
from watchkeeper.document import Place
from watchkeeper.model_data import SlackChannel, SlackUser, Zone

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def _local(value: datetime) -> datetime:
    if value.tzinfo is not None:
        raise ValueError("expected a local time such as 2026-01-05T09:00; its zone is `timezone`")
    return value


#: A time on the wall of the team's zone.
LocalTime = Annotated[datetime, AfterValidator(_local)]


def _clock_time(value: str) -> str:
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value) is None:
        raise ValueError(f"expected a time such as 09:00, got {value!r}")
    return value


class Person(Section):
    """Somebody who can be on call."""

    name: str = Field(min_length=1, max_length=80, description="What people call them.")
    slack: SlackUser | None = Field(default=None, description="Slack ID, for the mention.")


class Shift(Section):
    """A stretch of duty that goes before the rotation, such as a swap."""

    person: Name = Field(description="One of `people`.")
    start: LocalTime = Field(description="Local time at which it begins.")
    end: LocalTime = Field(description="Local time at which it ends.")


class OnCall(Section):
    """Who is on call: shifts, else a calendar, else a rotation."""

    timezone: Zone = Field(default=ZoneInfo("UTC"), description="Zone of the times below.")
    people: dict[Name, Person] = Field(default={}, description="Who can be on call.")
    rotation: tuple[Name, ...] = Field(default=(), description="They take turns in this order.")
    start: LocalTime | None = Field(
        default=None, description="Local time at which the first of them began, `2026-01-05T09:00`."
    )
    every: Duration = Field(default=timedelta(days=7), description="How long each turn is.")
    shifts: tuple[Shift, ...] = Field(default=(), description="Dated duties; they go first.")
    ical: SecretStr | None = Field(
        default=None,
        description="Address of an iCalendar whose events are named after people; needs "
        "`watchkeeper[calendar]`. Never in the file: who knows it can read it.",
    )
    ical_file: Path | None = Field(default=None, description="File that holds the address.")

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield turns and shifts that nobody could take."""
        if self.rotation and self.start is None:
            yield ("start",), "missing: when the first turn of the rotation began"
        if self.every % timedelta(days=1):
            yield ("every",), "expected whole days"
        places = [(("rotation", index), name) for index, name in enumerate(self.rotation)]
        names = [*places, *((("shifts", i, "person"), s.person) for i, s in enumerate(self.shifts))]
        for place, name in names:
            if name not in self.people:
                yield place, f"no person {name!r}; {nearest(name, self.people)}"
        for index, shift in enumerate(self.shifts):
            if shift.end <= shift.start:
                yield ("shifts", index, "end"), "expected a time after the start"


class Level(Section):
    """A step of an escalation."""

    after: Duration = Field(description="How long nobody has acknowledged the page.")
    to: tuple[Destination, ...] = Field(min_length=1, description="Who is told then.")


class Team(Section):
    """Who is told about the models of a team, and where."""

    channel: SlackChannel | None = Field(
        default=None, description="Slack channel of whatever has no destination of its own."
    )
    page: tuple[Destination, ...] = Field(default=(), description="Where pages go.")
    ticket: tuple[Destination, ...] = Field(default=(), description="Where tickets go.")
    digest: tuple[Destination, ...] = Field(default=(), description="Where the digest goes.")
    backup: tuple[Destination, ...] = Field(
        default=(),
        description="Where a page goes, one after the other, that was not accepted in two minutes.",
    )
    escalation: tuple[Level, ...] = Field(
        default=(), description="Who else is told of a page that nobody acknowledges."
    )
    on_call: OnCall | None = Field(default=None, description="Who is on call.")
    timezone: Zone = Field(default=ZoneInfo("UTC"), description="Zone of the digest's time.")
    digest_at: Annotated[str, AfterValidator(_clock_time)] = Field(
        default="09:00", description="Local time of the daily digest."
    )
    weekly: Weekday = Field(
        default="monday", description="Day on which the digest comes although nothing is wrong."
    )

    @property
    def digest_time(self) -> time:
        """The local time of the digest."""
        return time.fromisoformat(self.digest_at)

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield steps of an escalation that do not rise, and what is wrong with the duties."""
        waits = [level.after for level in self.escalation]
        if waits != sorted(set(waits)):
            yield ("escalation",), "expected steps that come one after the other"
        if self.on_call is not None:
            for place, problem in self.on_call.problems():
                yield ("on_call", *place), problem

    def destinations(self) -> Iterator[tuple[Place, str]]:
        """Yield every destination that is named, with its place."""
        for field in ("page", "ticket", "digest", "backup"):
            for index, destination in enumerate(getattr(self, field)):
                yield (field, index), destination
        for step, level in enumerate(self.escalation):
            for index, destination in enumerate(level.to):
                yield ("escalation", step, "to", index), destination


class Route(Section):
    """Findings of a model that somebody else than its owner is told of."""

    check: str | None = Field(
        default=None,
        description="The rule, by its family (`data_contract`) or its check (`null_surge`).",
    )
    feature: str | None = Field(
        default=None, description="Columns, `*` for any letters; all that are broken must match."
    )
    team: Name = Field(description="The team that is told, as in `teams` of watchkeeper.yaml.")

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield a route that would take everything."""
        if self.check is None and self.feature is None:
            yield ("check",), "expected a check, a feature, or both"
