from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from alerts.on_call import Entry, gaps, on_duty, unknown_people
from watchkeeper.team_settings import OnCall

START = datetime(2026, 1, 6, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
PEOPLE = {
    "ada": {"name": "Ada Byron", "slack": "U0ADA"},
    "bob": {"name": "Bob"},
    "eve": {"name": "Eve"},
}


def duties(**changes: Any) -> OnCall:
    values: dict[str, Any] = {
        "timezone": "Europe/Berlin",
        "people": PEOPLE,
        "rotation": ["ada", "bob", "eve"],
        "start": "2026-01-05T09:00",
    }
    return OnCall.model_validate(values | changes)


def who(plan: OnCall, local: str, *calendar: Entry) -> str | None:
    at = datetime.fromisoformat(local)
    at = at.replace(tzinfo=BERLIN) if at.tzinfo is None else at
    found = on_duty(plan, at.astimezone(UTC), calendar)
    return None if found is None else found.name


def test_they_take_turns_at_the_same_time_on_the_wall_when_the_clocks_are_changed() -> None:
    plan = duties()

    # The clocks go forward on 29 March and back on 25 October.
    assert [who(plan, f"2026-03-{day}") for day in ("23T08:59", "23T09:00")] == ["Bob", "Eve"]
    assert [who(plan, f"2026-03-{day}") for day in ("30T08:59", "30T09:00")] == ["Eve", "Ada Byron"]
    assert [who(plan, f"2026-10-{day}") for day in ("26T08:59", "26T09:00")] == ["Eve", "Ada Byron"]


def test_in_the_hour_that_comes_twice_the_turn_changes_once() -> None:
    plan = duties(start="2026-10-18T02:30", rotation=["ada", "bob"])
    before, between, after = (
        datetime(2026, 10, 25, 0, 29, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 15, tzinfo=UTC),
    )
    found = [on_duty(plan, at) for at in (before, between, after)]

    assert [duty and duty.name for duty in found] == ["Ada Byron", "Bob", "Bob"]


def test_a_shift_goes_before_the_calendar_and_the_calendar_before_the_rotation() -> None:
    shift = {"person": "eve", "start": "2026-01-06T09:00", "end": "2026-01-06T17:00"}
    plan = duties(shifts=[shift])
    monday = datetime(2026, 1, 6, tzinfo=UTC)
    entry = Entry(start=monday, end=monday + timedelta(days=1), name="bob")

    assert who(plan, "2026-01-06T10:00", entry) == "Eve"
    assert who(plan, "2026-01-06T18:00", entry) == "Bob"
    assert who(plan, "2026-01-08T10:00", entry) == "Ada Byron"


def test_names_of_a_calendar_are_people_or_stand_for_themselves() -> None:
    plan = duties(rotation=[])
    start = datetime(2026, 1, 6, tzinfo=UTC)
    day = timedelta(days=1)
    known = Entry(start=start, end=start + day, name=" ADA byron ")
    other = Entry(start=start + day, end=start + 2 * day, name="The vendor")
    first = on_duty(plan, start, (known, other))

    assert first is not None
    assert (first.name, first.slack, first.until) == ("Ada Byron", "U0ADA", start + day)
    assert who(plan, "2026-01-07T12:00", known, other) == "The vendor"
    assert unknown_people(plan, (known, other)) == ["The vendor"]


def test_it_says_when_nobody_is_on_call() -> None:
    plan = duties(
        rotation=[],
        shifts=[
            {"person": "ada", "start": "2026-03-28T09:00", "end": "2026-03-29T09:00"},
            {"person": "bob", "start": "2026-03-30T09:00", "end": "2026-04-30T09:00"},
        ],
    )
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    (gap,) = gaps(plan, start, start + timedelta(days=14))

    assert gap.start.astimezone(BERLIN).isoformat() == "2026-03-29T09:00:00+02:00"
    assert gap.end.astimezone(BERLIN).isoformat() == "2026-03-30T09:00:00+02:00"
    assert gaps(duties(rotation=[]), start, start + timedelta(days=1))[0].start == start


def test_before_the_first_turn_nobody_is_on_call() -> None:
    assert who(duties(), "2026-01-05T08:59") is None
    assert who(duties(), "2026-01-05T09:00") == "Ada Byron"


@given(
    st.integers(0, 4 * 365 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
    st.integers(1, 21),
)
def test_a_rotation_has_somebody_at_every_instant(at: datetime, zone: str, days: int) -> None:
    plan = duties(timezone=zone, every=f"{days}d")
    found = on_duty(plan, at)

    assert found is not None
    assert found.until is not None
    assert at < found.until <= at + timedelta(days=days, hours=2)
    assert gaps(plan, at, at + timedelta(days=14)) == []
