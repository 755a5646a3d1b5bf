"""Which windows of a log are judged, and when each of them is looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.sources.counts import TileCount
from monitor.sources.windows import plan_windows, split_reference, whole_windows
from service.backtest.plan import looks_at
from watchkeeper.errors import InputError
from watchkeeper.model_settings import ModelSettings

START = datetime(2013, 6, 3, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def settings_of(size: str = "1d", **label: Any) -> ModelSettings:
    return ModelSettings.model_validate(
        {
            "model": "flights",
            "task": "regression",
            "owner": {"name": "Flight models on call"},
            "timestamp": "at",
            "prediction": {"value": "minutes"},
            "label": {"column": "late", **label},
            "windows": {"size": size},
            "tolerance": {"metric": "mae", "rise": "10%"},
        }
    )


def tiles(hours: list[int], *, known_after: timedelta = HOUR) -> list[TileCount]:
    return [
        TileCount(
            start=START + hour * HOUR,
            rows=10,
            labels=10,
            last_known=START + hour * HOUR + known_after,
        )
        for hour in hours
    ]


def test_a_day_without_a_row_is_a_window_too() -> None:
    planned = plan_windows(tiles([5, 60]), settings_of())
    assert [len(each.tiles) for each in planned] == [1, 0, 1]


def test_a_log_that_ends_in_the_midst_of_a_window_does_not_judge_it() -> None:
    hours = [hour for hour in range(24 * 6) if hour % 24 < 20]
    whole = plan_windows(tiles(hours), settings_of())
    assert len(whole_windows(whole, HOUR)) == 6
    cut = plan_windows(tiles(hours[9:-9]), settings_of())
    assert [each.window.start for each in whole_windows(cut, HOUR)] == [
        START + k * DAY for k in range(1, 5)
    ]


def test_the_first_fifth_of_the_rows_ends_with_a_window() -> None:
    planned = plan_windows(tiles(list(range(24 * 12))), settings_of())
    first, others = split_reference(planned, settings_of())
    assert (len(first), len(others)) == (3, 9)
    with pytest.raises(InputError, match="4 windows of 1d"):
        split_reference(planned[:4], settings_of())


def test_times_of_another_century_are_refused_before_they_become_windows() -> None:
    with pytest.raises(InputError, match="more than 100,000 windows of 1h"):
        plan_windows(tiles([0, 24 * 365 * 40]), settings_of("1h"))


@pytest.mark.parametrize(
    ("label", "known_after", "expected"),
    [
        ({}, timedelta(0), [24]),
        ({"delay": "6h"}, 6 * HOUR, [24, 30]),
        ({"available_at": "known", "delay": "6h"}, 9 * HOUR, [24, 30, 32]),
        ({"available_at": "known", "delay": "6h"}, HOUR, [24, 30]),
    ],
)
def test_a_window_is_looked_at_when_it_closes_and_when_its_labels_have_come(
    label: dict[str, Any], known_after: timedelta, expected: list[int]
) -> None:
    planned = plan_windows(tiles(list(range(24)), known_after=known_after), settings_of(**label))
    looks = looks_at(planned, settings_of(**label))
    assert [(look.now - START) // HOUR for look in looks] == expected
    assert [look.number for look in looks] == list(range(len(expected)))


def test_looks_are_taken_in_the_order_of_time() -> None:
    planned = plan_windows(tiles(list(range(72))), settings_of(delay="30h"))
    looks = looks_at(planned, settings_of(delay="30h"))
    assert [(look.now - START) // HOUR for look in looks] == [24, 48, 54, 72, 78, 102]
